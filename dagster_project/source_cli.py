"""The `runmart source` commands: a source database becomes one of Runmart's systems.

Belongs here: names, options and what a person sees in the terminal. Does not belong here: the work itself (`scaffold/`).
"""

import typer

source_app = typer.Typer(no_args_is_help=True, help="Bring in a source database of your own.")


@source_app.callback()
def source() -> None:
    """Bring in a source database of your own."""
