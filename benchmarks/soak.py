"""How much each way of copying loses: `python -m benchmarks.soak --seconds-per-mode 60 [--seed N] [--mode NAME …]`.

Belongs here: running the modes in turn on servers of their own and printing what came of them; the last line is one JSON object. Does not
belong here: the harness, which the tests share (`tests/integration/capture`).
"""

import argparse
import json
import secrets
import sys
import tempfile
from pathlib import Path

from tests.integration.capture.modes import EXACT_MODES, NAIVE_MODES
from tests.integration.capture.places import place, servers
from tests.integration.capture.soak import Tally, Weather, soak

_MODES = {**EXACT_MODES, **NAIVE_MODES}


def main() -> None:
    """Soak every mode; exit 1 if one that must be exact was not, or a naive one lost nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds-per-mode", type=float, default=60)
    parser.add_argument("--seed", default=secrets.token_hex(4), help="the same plan again (default: a new one, printed)")
    parser.add_argument("--mode", choices=_MODES, action="append", help="only this mode; may be repeated")
    parser.add_argument("--postgres", type=int, choices=(16, 18), default=18, help="version of the source")
    arguments = parser.parse_args()
    _say(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder), arguments.postgres) as running:
        tallies = []
        for name in arguments.mode or _MODES:
            with place(*running) as fresh:
                tallies.append(soak(name, _MODES[name], fresh, arguments.seconds_per_mode, arguments.seed, Weather(), _say))
            _say(f"{tallies[-1].as_json()} {dict(tallies[-1].failures)}")
    print(json.dumps({"modes": [tally.as_json() for tally in tallies]}))
    sys.exit(0 if all(map(_is_as_expected, tallies)) else 1)


def _is_as_expected(tally: Tally) -> bool:
    return (tally.difference.total == 0) == (tally.name in EXACT_MODES)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
