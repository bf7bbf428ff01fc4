"""Peer: Sling, whose program comes in a package of its own for Linux (newer versions download it when they run).

Arguments: source URL, target URL. Prints what it cost as JSON.
"""

import os
import subprocess
import sys
from pathlib import Path

import sling_linux_amd64

from benchmarks.peers.cost import Cost

_PROGRAM = str(Path(sling_linux_amd64.__file__).parent / "bin" / "sling-linux-amd64")


def main(source_url: str, target_url: str) -> None:
    """Load the table `metrics` once."""
    environment = {**os.environ, "SRC": source_url, "TGT": target_url, "SLING_DISABLE_TELEMETRY": "true"}
    cost = Cost()
    command = [
        _PROGRAM,
        "run",
        "--src-conn",
        "SRC",
        "--src-stream",
        "public.metrics",
        "--tgt-conn",
        "TGT",
        "--tgt-object",
        "public.metrics",
    ]
    subprocess.run([*command, "--mode", "full-refresh"], env=environment, check=True, stdout=sys.stderr)
    cost.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
