"""The small inputs that failed once, as source databases.

Belongs here: loading them, and drafting a contract as `runmart source scaffold` does. Does not belong here: what is right.
"""

import re
from contextlib import closing
from pathlib import Path

import psycopg2

from dagster_project.contracts.contract import SystemContract
from dagster_project.scaffold.catalog import read_catalog, reading
from dagster_project.scaffold.drafting import Draft, draft
from dagster_project.scaffold.raw_types import RawTypes, raw_types
from dagster_project.settings import PROJECT_ROOT
from tests.databases import run

CASES = PROJECT_ROOT / "tests" / "cases"
SYSTEM = "small"

# The tests' server, like the embedded one, cannot read XML: its values are written as text, then the column is said to be of type xml.
_AS_XML = """
set allow_system_table_mods = on;
update pg_catalog.pg_attribute set atttypid = 'xml'::regtype, attcollation = 0
where attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r') and attname = any(%s)
"""


def load(url: str, case: str) -> None:
    """Make the database of a case in an empty one."""
    text = (CASES / f"{case}.sql").read_text(encoding="utf-8")
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(re.sub(r"\bxml\b", "text", text))
    run(url, _AS_XML, re.findall(r"(\w+) xml\b", text))


def drafted(url: str, warehouse_url: str) -> tuple[Draft, RawTypes]:
    """The draft of a database, and what raw makes of its columns."""
    with reading(url) as cursor, closing(psycopg2.connect(warehouse_url)) as warehouse, warehouse.cursor() as asking:
        made = draft(SYSTEM, read_catalog(cursor, ["public"]), ["public"])
        return made, raw_types(cursor, asking, made)


def in_mode(contract: SystemContract, capture: str) -> SystemContract:
    """The contract in a capture mode."""
    return contract.model_copy(update={"capture": capture})


def names() -> list[str]:
    """The cases that are databases."""
    return sorted(path.stem for path in Path(CASES).glob("*.sql"))
