"""Names and constants as SQL needs them.

Belongs here: quoting and lists of names. Does not belong here: which relations there are (`relations`).
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime

# A relation as dbt prints it: "schema"."name".
PRINTED = re.compile(r'"([^"]+)"\."([^"]+)"')

# In bytes.
_LONGEST = 63


def quoted(name: str) -> str:
    """A name in double quotes, which every name may have."""
    return '"' + name.replace('"', '""') + '"'


def relation(schema: str, name: str) -> str:
    """A relation by its schema and its name."""
    return f"{quoted(schema)}.{quoted(name)}"


def columns(names: Iterable[str], of: str = "") -> str:
    """Columns, separated by commas; each of the relation of that name, if one is given."""
    return ", ".join(f"{of}.{quoted(name)}" if of else quoted(name) for name in names)


def row(names: Iterable[str], of: str = "") -> str:
    """Columns as one value that can be compared: itself if there is one, else a row."""
    return f"({columns(names, of)})"


def literal(text: str) -> str:
    """A text as a constant."""
    return "'" + text.replace("'", "''") + "'"


def shortened(name: str) -> str:
    """A name that PostgreSQL does not cut off: of one that it would, a digest keeps what is cut off apart."""
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name.encode()[: _LONGEST - len(digest) - 1].decode(errors='ignore')}~{digest}"


def stand_in(schema: str, name: str) -> tuple[str, str]:
    """Schema and name of the temporary relation that stands for one, named after it."""
    return "pg_temp", shortened(f"{schema}.{name}")


def in_utc(moment: datetime) -> str:
    """A moment as a constant without time zone, in UTC."""
    return f"timestamp '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"
