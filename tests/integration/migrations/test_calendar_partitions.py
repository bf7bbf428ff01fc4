"""What the functions that make and archive partitions promise in every source that Runmart builds.

What is special to the partitions of one system is beside this, in `test_<system>_partitions.py`.
"""

from collections.abc import Callable

import psycopg2
import pytest

from dagster_project.contracts.loading import load_contracts
from dagster_project.settings import has_migrations
from tests.databases import run
from tests.integration.migrations.conftest import Database
from tests.partitions import PARTITIONED_TABLES, adding, fill

EMBEDDED = [system for system in load_contracts() if has_migrations(system)]

IN_DEFAULT = " returning tableoid = (select partdefid from pg_partitioned_table where partrelid = %s::regclass)"
REFERRED_TO = "select exists (select from pg_constraint where contype = 'f' and confrelid = %s::regclass)"

# What a partition has, but for its name and its bounds.
MAKE_UP = """
select
    array(select pg_get_constraintdef(k.oid) from pg_constraint as k where k.conrelid = c.oid and k.convalidated order by 1),
    array(
        select regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX .* USING ', ' ') from pg_index as i where i.indrelid = c.oid order by 1
    ),
    array(select concat(t.tgfoid::regproc, t.tgtype, t.tgenabled) from pg_trigger as t where t.tgrelid = c.oid order by 1),
    array(select concat(d.adnum, pg_get_expr(d.adbin, d.adrelid)) from pg_attrdef as d where d.adrelid = c.oid order by 1),
    c.reloptions
from pg_inherits join pg_class as c on c.oid = inhrelid
where inhparent = %s::regclass
"""
ARCHIVE = "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = 'archive'::regnamespace"
DEPENDENCIES = """
select conrelid from pg_constraint where conrelid = '{table}'::regclass and contype = 'f'
union all select adrelid from pg_attrdef where adrelid = '{table}'::regclass
union all select tgrelid from pg_trigger where tgrelid = '{table}'::regclass
"""
CALLERS = """
select distinct grantee::regrole::text from pg_proc cross join aclexplode(proacl)
where oid = any(array['create_partitions'::regproc, 'create_future_partitions', 'archive_partitions']) order by 1
"""


@pytest.fixture(params=[system for system in EMBEDDED if adding(system)])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(system: str, new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Database:
    """A database with one row in every table, in a session far from UTC."""
    url = new_database(system)
    fill(system, url)
    source = connect(url)
    source.rows("set timezone = 'Asia/Tokyo'")
    return source


def goes_to_default(source: Database, system: str, table: str, moment: str) -> object:
    """Add a row, and say whether it goes to the DEFAULT partition."""
    return source.value(adding(system)[table] + IN_DEFAULT, moment, table)


@pytest.mark.parametrize("system", EMBEDDED)
def test_every_partitioned_table_is_tried(new_database: Callable[[str], str], system: str) -> None:
    assert [table for (table,) in run(new_database(system), PARTITIONED_TABLES)] == sorted(adding(system))


def test_periods_begin_and_end_in_utc(source: Database, system: str) -> None:
    for table in adding(system):
        assert goes_to_default(source, system, table, "2031-02-14 12:00:00+00") is True
        created = source.value("select create_partitions(%s, '2031-01-31', '2031-03-01')", table)
        assert created in {1, 3}
        for moment, is_outside in {
            "2030-12-31 23:59:59.999999+00": True,
            "2031-01-01 00:00:00+00": False,
            "2031-03-31 23:59:59.999999+00": False,
            "2031-04-01 00:00:00+00": True,
        }.items():
            assert goes_to_default(source, system, table, moment) is is_outside, (table, moment)
        found = {str(name) for (name,) in source.rows(f"select distinct tableoid::regclass from {table}")}
        assert f"{table}_2031_{'q1' if created == 1 else '01'}" in found
        assert source.value("select create_partitions(%s, '2031-01-01', '2031-03-31')", table) == 0


def test_partitions_that_are_made_later_are_like_those_that_were_there(source: Database, system: str) -> None:
    for table in adding(system):
        (before,) = set(map(str, source.rows(MAKE_UP, table)))
        goes_to_default(source, system, table, "2031-02-14 12:00:00+00")
        source.rows("select create_partitions(%s, '2031-01-01', '2031-06-30')", table)
        assert set(map(str, source.rows(MAKE_UP, table))) == {before}


def test_present_and_coming_periods_have_partitions(source: Database, system: str) -> None:
    made = source.value("select create_future_partitions(8)")
    assert isinstance(made, int)
    assert made > 0
    for table in adding(system):
        for months in range(9):
            moment = source.value("select (now() at time zone 'UTC' + make_interval(months => %s))::text || '+00'", months)
            assert goes_to_default(source, system, table, str(moment)) is False
    assert source.value("select create_future_partitions(8)") == 0


def test_what_ends_with_a_day_in_utc_is_archived_and_depends_on_nothing(source: Database, system: str) -> None:
    for table in adding(system):
        if source.value(REFERRED_TO, table):
            continue
        source.rows(f"delete from {table}")
        goes_to_default(source, system, table, "2025-03-31 23:59:59.999999+00")
        (old,) = source.rows(f"select to_jsonb(t) from {table} as t")
        goes_to_default(source, system, table, "2025-04-01 00:00:00+00")
        (young,) = (row for row in source.rows(f"select to_jsonb(t) from {table} as t") if row != old)
        source.rows("select archive_partitions(%s, '2025-04-01')", table)
        assert source.rows(f"select to_jsonb(t) from {table} as t") == [young]
        archived = [str(name) for (name,) in source.rows(ARCHIVE) if str(name).startswith(f"archive.{table.rpartition('.')[2]}_2025_")]
        assert [row for name in archived for row in source.rows(f"select to_jsonb(t) from {name} as t")] == [old]
        assert [row for name in archived for row in source.rows(DEPENDENCIES.format(table=name))] == []


def test_a_bad_call_is_refused_by_name(source: Database, system: str) -> None:
    table = next(iter(adding(system)))
    for call, message in {
        "create_partitions('alembic_version', '2025-01-01', '2025-12-31')": "public.alembic_version has no calendar partitions",
        "archive_partitions('alembic_version', '2025-01-01')": "public.alembic_version has no calendar partitions",
        "create_partitions(null, '2025-01-01', '2025-12-31')": "has no calendar partitions",
        f"create_partitions('{table}', '2025-12-31', '2025-01-01')": "no days from 2025-12-31 to 2025-01-01",
        f"create_partitions('{table}', '2025-12-31', null)": "no days from 2025-12-31 to NULL",
    }.items():
        with pytest.raises(psycopg2.errors.RaiseException, match=message):
            source.rows(f"select {call}")


def test_administrators_alone_may_call_them(source: Database) -> None:
    (administrator,) = {str(role) for (role,) in source.rows(CALLERS)} - {"postgres"}
    assert "admin" in administrator
    assert source.value("select create_future_partitions(8)", role=administrator) != 0
