"""A warm process whose only program runs Python given as an argument: `python -m tests.warm_server HOME`.

Belongs here: nothing but this. Once the home has a file `outdated`, what the process has imported counts as outdated. It ends with its
standard input.
"""

import sys
from pathlib import Path

from dagster_project.warm.forked import Forked
from dagster_project.warm.server import serve

PROGRAM = "python"
OUTDATED = "outdated"


def main() -> None:
    """Serve; a fork runs its argument; the server says at the end why it has ended."""
    home = Path(sys.argv[1])
    found = serve(home, {PROGRAM}, lambda: not (home / OUTDATED).exists(), lifeline=sys.stdin.fileno())
    if isinstance(found, Forked):
        found.become_the_command()
        exec(sys.argv[1], {})  # noqa: S102
    else:
        print(found.name)


if __name__ == "__main__":
    main()
