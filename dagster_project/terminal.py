"""The terminal: where every command prints.

Belongs here: the two streams, their width, the look of tables, and the options that many commands have. Does not belong here: what is
printed (`results`, `source_cli`).
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table

# A pipe or a file has no width; tables keep their lines there, up to this or what COLUMNS says.
_WIDTH_OF_FILES = 120

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

OfTenant = Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="In the warehouse of this tenant.", show_default=False)]

out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_FILES)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def kept_stderr() -> Iterator[Console]:
    """Stderr as it is now, whatever takes what the process writes there meanwhile."""
    try:
        kept = os.dup(sys.stderr.fileno())
    except (AttributeError, OSError):
        # Whoever started this has closed it, or it is no file.
        yield err
        return
    with os.fdopen(kept, "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors) as stream:
        yield Console(file=stream, highlight=False, soft_wrap=True)


def help_if_alone(context: typer.Context) -> None:
    """A command that has commands of its own shows them, unless one of them was named."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def print_error(text: str) -> None:
    """The line on stderr that says why a command failed."""
    err.print("[bold red]error:[/]", text.replace("[", r"\["))


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    out.print_json(json.dumps(document, default=str))


def new_table(first: str, *others: str, justify: Literal["left", "right"] = "right") -> Table:
    """A table without rows; the first column names things, the others are figures, or words to the left."""
    columns = (Column(first, no_wrap=True), *(Column(name, justify=justify, overflow="fold") for name in others))
    return Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
