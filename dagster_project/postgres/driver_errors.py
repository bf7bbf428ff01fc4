"""What an error of the driver says.

Belongs here: taking it apart. Does not belong here: what it means for a sync (`ingestion.errors`), or for another reader.
"""

import re

import psycopg2

# A full disk and too many connections; the classes of a lost connection, of a transaction that is over, and of a server that stops.
_OF_THE_SERVER = ("53100", "53300", "08", "25", "57P")

# Classes of errors that a value can cause: of data, of rules for it, of limits, of functions and features, of damaged storage.
_OF_A_VALUE = ("22", "23", "54", "38", "39", "P0", "0A", "XX")


def first_line(error: psycopg2.Error) -> str:
    """The reason that a driver error gives, in one line and without a password."""
    message = error.diag.message_primary or str(error).strip()
    lines = [line.strip() for line in message.splitlines() if line.strip()] or [type(error).__name__]
    # There is one line per address that was tried, each with its reason; other messages begin with theirs.
    tried = [line for line in lines if line.startswith("connection to server")]
    return re.sub(r"password=\S+", "password=***", (tried or lines[:1])[-1])


def is_of_one_table(error: psycopg2.Error) -> bool:
    """Whether a failure says nothing of other tables: not of the connection, the server or its resources."""
    return error.pgcode is not None and not error.pgcode.startswith(_OF_THE_SERVER)


def is_of_a_value(error: psycopg2.Error) -> bool:
    """Whether a single value may be the cause of a failure."""
    return error.pgcode is not None and error.pgcode.startswith(_OF_A_VALUE)


def row_being_copied(error: psycopg2.Error) -> int | None:
    """The place, from 1, of the row at which a COPY into a table came to an end."""
    return _copied(error)[0]


def column_being_copied(error: psycopg2.Error) -> str | None:
    """The column at which it did, where the server names one."""
    return _copied(error)[1]


def _copied(error: psycopg2.Error) -> tuple[int | None, str | None]:
    found = re.search(r'^COPY .*?, line (\d+)(?:, column (.*?))?(?:: ".*)?$', error.diag.context or "", re.MULTILINE)
    return (int(found[1]), found[2]) if found else (None, None)
