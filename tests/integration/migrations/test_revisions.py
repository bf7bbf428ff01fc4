"""What holds of the revisions of every source database that Runmart builds: they leave what the models say, and go down and up again.

Belongs here: what needs no knowledge of one system. Does not belong here: what its design says, and what its constraints, triggers and
roles do (`test_<system>_schema.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData, text

from dagster_project.contracts.loading import load_contracts
from dagster_project.resources.databases import engine
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.settings import has_migrations
from migrations.run import config, downgrade, upgrade
from tests.integration.migrations.catalog import FOREIGN_KEYS_WITHOUT_INDEX, LEFT, MACHINERY, catalog_of
from tests.integration.migrations.conftest import Database

SYSTEMS = [system for system in load_contracts() if has_migrations(system)]

# Each partitioned table, and the column by which it is parted.
PARTITIONED = """
select p.partrelid::regclass::text, a.attname
from pg_partitioned_table as p join pg_attribute as a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
"""
REFERRING = (
    "select distinct conrelid::regclass::text from pg_constraint where contype = 'f' and confrelid = %s::regclass and conparentid = 0"
)

# When the partition of the first row ends.
END = "select substring(pg_get_expr(relpartbound, oid) from 'TO \\(''([^'']+)') from pg_class where oid = (select tableoid from {} limit 1)"

# But that of the primary key.
INDEXES_BEGINNING_WITH = """
select i.indexrelid::regclass::text
from pg_index as i
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where i.indrelid = %s::regclass and a.attname = %s and not i.indisprimary
"""


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    """Each system whose database Runmart builds."""
    return str(request.param)


@pytest.fixture
def own(system: str, new_database: Callable[[str], str]) -> Iterator[Database]:
    """A database that was migrated itself, since roles may be called as it is, with one row in every table."""
    url = new_database("empty")
    upgrade(system, url)
    with closing(Database(url)) as database:
        database.rows(one_row_each(system))
        yield database


@pytest.fixture(params=["server", "old_server"], ids=["18", "16"])
def any_server(request: pytest.FixtureRequest) -> EmbeddedServer:
    server: EmbeddedServer = request.getfixturevalue(request.param)
    return server


def one_row_each(system: str) -> str:
    """SQL that gives every table a row."""
    return Path(__file__).with_name(f"{system}.sql").read_text(encoding="utf-8")


def models_of(system: str) -> MetaData:
    """The tables as the models have them."""
    metadata: MetaData = import_module(f"migrations.{system}.models").Base.metadata
    return metadata


def schemas_of(system: str) -> list[str]:
    """Where they are."""
    return sorted({table.schema or "public" for table in models_of(system).tables.values()})


def catalog(system: str, database: Database) -> list[tuple[object, ...]]:
    """What a database has of what a model can say."""
    return database.rows(catalog_of(*schemas_of(system)))


def revisions_of(system: str) -> list[str]:
    """The newest first."""
    return [revision.revision for revision in ScriptDirectory.from_config(config(system)).walk_revisions()]


def grow(database: Database) -> None:
    """Make partitions of the coming periods, and archive one that has a row of each table, where there are any."""
    for table, column in database.rows(PARTITIONED):
        for (referring,) in database.rows(REFERRING, table):
            database.rows(f"delete from {referring}")
        (day,) = database.rows(f"select {column}::date, {column}::date from {table} limit 1")
        database.rows("select create_partitions(%s, %s, %s), create_future_partitions()", table, *day)
        assert database.value("select archive_partitions(%s, %s)", table, database.value(END.format(table)))
        assert database.value(f"select count(*) from {table}") == 0


def test_revisions_leave_exactly_what_the_models_say(system: str, own: Database, new_database: Callable[[str], str]) -> None:
    url = new_database("empty")
    created = engine(url)
    with created.begin() as connection:
        for schema in schemas_of(system):
            connection.execute(text(f"create schema if not exists {schema}"))
        models_of(system).create_all(connection)
    created.dispose()
    with closing(Database(url)) as from_models:
        said = catalog(system, from_models)
    assert catalog(system, own) == said
    assert {name for kind, name, *_ in said if kind == "table"} == {table.name for table in models_of(system).tables.values()}


def test_alembic_check_is_clean_until_something_changes_by_hand(system: str, own: Database) -> None:
    grow(own)
    command.check(config(system, own.url))
    table = models_of(system).sorted_tables[0]
    own.rows(f"alter table {table} add column mood text")
    with pytest.raises(CommandError, match=r"New upgrade operations detected.*mood"):
        command.check(config(system, own.url))


def test_every_foreign_key_has_an_index(system: str, own: Database) -> None:
    assert own.rows(FOREIGN_KEYS_WITHOUT_INDEX) == []
    key = next(key for table in models_of(system).sorted_tables for key in table.foreign_key_constraints)
    columns = ", ".join(key.column_keys)
    for (index,) in own.rows(INDEXES_BEGINNING_WITH, str(key.table), key.column_keys[0]):
        own.rows(f"alter table {key.table} drop constraint if exists {str(index).rpartition('.')[2]}; drop index if exists {index}")
    # One of all rows there is no more.
    own.rows(f"create index only_some on {key.table} ({columns}) where {key.column_keys[0]} is null")
    assert [table for table, _ in own.rows(FOREIGN_KEYS_WITHOUT_INDEX)] == [str(key.table)]


def test_every_table_and_function_has_a_comment(system: str, own: Database) -> None:
    without = """
    with own as (select oid from pg_namespace where nspname !~ '^(pg_|information_schema)')
    select relname::text from pg_class where relkind in ('r', 'p') and not relispartition and relnamespace in (select oid from own)
        and relname <> 'alembic_version' and obj_description(oid, 'pg_class') is null
    union all
    select proname::text from pg_proc where pronamespace in (select oid from own) and obj_description(oid, 'pg_proc') is null
    """
    assert own.rows(without) == []
    table = models_of(system).sorted_tables[0]
    own.rows(f"comment on table {table} is null")
    assert own.rows(without) == [(table.name,)]


@pytest.mark.parametrize("is_filled", [False, True], ids=["empty", "filled"])
def test_down_to_nothing_and_up_again(system: str, any_server: EmbeddedServer, connect: Callable[[str], Database], is_filled: bool) -> None:
    any_server.ensure_database("down_and_up")
    url = any_server.url("down_and_up")
    upgrade(system, url)
    database = connect(url)
    before = catalog(system, database), database.rows(MACHINERY)
    if is_filled:
        database.rows(one_row_each(system))
        assert [table for table in models_of(system).tables.values() if not database.value(f"select count(*) from {table}")] == []
        grow(database)
    downgrade(system, url, "base")
    assert database.rows(LEFT) == []
    upgrade(system, url)
    assert (catalog(system, database), database.rows(MACHINERY)) == before
    downgrade(system, url, "base")


def test_each_revision_goes_down_and_up_on_a_filled_database(system: str, own: Database) -> None:
    before = catalog(system, own), own.rows(MACHINERY)
    _, *others = revisions_of(system)
    for revision in others:
        downgrade(system, own.url, revision)
        upgrade(system, own.url)
        assert (catalog(system, own), own.rows(MACHINERY)) == before
    # What the first revision makes, and no other one takes away.
    downgrade(system, own.url, others[-1])
    tables = [table for table in models_of(system).sorted_tables if own.value("select to_regclass(%s)", str(table))]
    assert tables
    assert [table for table in tables if not own.value(f"select count(*) from {table}")] == []
