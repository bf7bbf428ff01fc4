"""Rows of any time in the partitioned tables of the sources that Runmart builds.

Belongs here: a database with a row in every table, and how a partitioned one gets another. Does not belong here: what the rows are
(`integration/migrations/<system>.sql` and `<system>_partitioned.sql`), and what becomes of them.
"""

import re
from pathlib import Path

from tests.databases import run

_ROWS = Path(__file__).parent / "integration" / "migrations"

PARTITIONED_TABLES = "select partrelid::regclass::text from pg_partitioned_table order by 1"


def fill(system: str, url: str) -> None:
    """Give every table of a migrated, empty source one row."""
    run(url, (_ROWS / f"{system}.sql").read_text(encoding="utf-8"))


def adding(system: str) -> dict[str, str]:
    """By partitioned table of a source, the statement that adds a row of a time, its only parameter, to what `fill` has filled."""
    path = _ROWS / f"{system}_partitioned.sql"
    statements = path.read_text(encoding="utf-8").split(";")[:-1] if path.exists() else []
    return {re.findall(r"insert into (\S+)", statement, re.IGNORECASE)[0]: statement for statement in statements}
