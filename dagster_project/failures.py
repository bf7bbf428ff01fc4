"""How a command that cannot do its work ends: with one line that begins with `error:`, and an exit code.

Belongs here: which errors a user can act on, and their codes: 1 for work that failed, 2 for a command that was not understood. Does not
belong here: the words of an error (where it is raised), and a run that failed (`cli`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError
from typer.exceptions import TyperException

from dagster_project.errors import RunmartError
from dagster_project.ingestion.errors import from_driver
from dagster_project.terminal import print_error


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the process with one line where a user can act on what went wrong; a fault of ours keeps its traceback."""
    try:
        yield
    except TyperException as error:
        print_error(_usage_line(error))
        raise SystemExit(error.exit_code) from None
    except (RunmartError, psycopg2.Error, DBAPIError, OSError) as error:
        print_error(_clear_line(error))
        raise SystemExit(1) from None


def _usage_line(error: TyperException) -> str:
    # Typer hands on what pydantic puts in front of a value that is none of a choice.
    text = error.format_message().rstrip(".").replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    return f"{text[:1].lower()}{text[1:]}" + (f" (see {context.command_path} --help)" if context else "")


def _clear_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(from_driver(cause, "the database")) if isinstance(cause, psycopg2.Error) else str(cause)
