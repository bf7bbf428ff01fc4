"""Alembic for a person: `python -m migrations <name> <command> …`, for example `python -m migrations warehouse current`.

Belongs here: from a command line to Alembic's own commands, for one database. Does not belong here: how a database is found (`run`, `env`).
"""

import sys
from collections.abc import Sequence

from alembic.config import CommandLine

from dagster_project.errors import RunmartError
from migrations.run import config


def main(arguments: Sequence[str]) -> None:
    """Run one of Alembic's commands on a database.

    Raises:
        SystemExit: The name is that of no folder of migrations, or Alembic refuses the command; the message is on stderr.
    """
    alembic = CommandLine(prog="python -m migrations <name>")
    name, *line = arguments or [""]
    options = alembic.parser.parse_args(line or ["--help"])
    if not hasattr(options, "cmd"):
        alembic.parser.error("a command is missing")
    try:
        configuration = config(name)
    except RunmartError as error:
        raise SystemExit(f"error: {error}") from error
    configuration.cmd_opts = options
    alembic.run_cmd(configuration, options)


if __name__ == "__main__":
    main(sys.argv[1:])
