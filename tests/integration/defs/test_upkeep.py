"""Upkeep of embedded sources: partitions of the coming periods, and what becomes of old rows, as contracts declare it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import dagster as dg
import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts
from dagster_project.contracts.problems import problems
from dagster_project.contracts.table import Upkeep
from dagster_project.defs.upkeep import source_upkeep
from dagster_project.ingestion.sync import sync
from dagster_project.resources.warehouse import Sources
from dagster_project.settings import has_migrations, url_variable
from dagster_project.upkeep import keep_up
from tests.databases import run
from tests.partitions import PARTITIONED_TABLES, adding, fill
from tests.waiting import until

SYSTEM = "forecast_tracking"
LOG = "insert into system_logs (log_level, log_message, created_at) values ('INFO', %s, localtimestamp - make_interval(days => %s))"
LOGS = "select log_message from system_logs order by 1"
LAST_MONTH = "select max(substring(pg_get_expr(relpartbound, oid) from 'TO .*(....-..-..)')) from pg_class where relname ~ '^system_logs_2'"

CONTRACTS = load_contracts()
EMBEDDED = [system for system in CONTRACTS if has_migrations(system)]
UPKEPT = [(system, table) for system in EMBEDDED for table, declared in CONTRACTS[system].tables.items() if declared.upkeep]

# Whether four months from now are in a partition other than DEFAULT.
HAS_COMING_MONTHS = """
select max(substring(pg_get_expr(relpartbound, oid) from 'TO .*(....-..-..)')::date) > now() + interval '4 months'
from pg_class join pg_inherits on inhrelid = oid where inhparent = %s::regclass
"""
TO_BE_RETRIED = dg.DagsterEventType.STEP_UP_FOR_RETRY
REFERRED_TO = """
select distinct confrelid::regclass::text from pg_constraint join pg_partitioned_table on partrelid = conrelid where contype = 'f'
"""
IN_DEADLOCK = """
select held.relation::regclass::text
from pg_locks as held join pg_partitioned_table on partrelid = held.relation join pg_locks as wanted on wanted.pid = held.pid
where held.mode = 'AccessExclusiveLock' and held.granted and not wanted.granted
"""


@pytest.fixture
def urls(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Of every embedded source; none is behind a URL, whatever other tests have set."""
    for system in EMBEDDED:
        monkeypatch.delenv(url_variable(system), raising=False)
    return {system: new_database(system) for system in EMBEDDED}


def declaring(**upkeep: Mapping[str, Any]) -> SystemContract:
    """The contract with this upkeep of tables, and of no others."""
    contract = CONTRACTS[SYSTEM]
    tables = {
        name: table.model_copy(update={"upkeep": Upkeep.model_validate(upkeep[name]) if name in upkeep else None})
        for name, table in contract.tables.items()
    }
    return contract.model_copy(update={"tables": tables})


def test_old_rows_are_deleted_and_young_ones_stay(new_database: Callable[[str], str]) -> None:
    source = new_database(SYSTEM)
    for days in (0, 89, 91, 400):
        run(source, LOG, f"{days} days", days)
    told = list(keep_up(declaring(system_logs={"delete_after_days": 90, "dated_by": "created_at"}), source))
    assert run(source, LOGS) == [("0 days",), ("89 days",)]
    assert told[1:] == ["system_logs: 2 rows deleted"]
    run(source, LOG, "again", 91)
    list(keep_up(declaring(), source))
    assert run(source, LOGS) == [("0 days",), ("89 days",), ("again",)]


def test_partitions_that_are_old_enough_are_archived(new_database: Callable[[str], str]) -> None:
    """A month of which one day is young enough stays."""
    source = new_database(SYSTEM)
    run(source, "select create_partitions('system_logs', (now() - interval '1 year')::date, now()::date)")
    for days in (0, 85, 200):
        run(source, LOG, f"{days} days", days)
    told = list(keep_up(declaring(system_logs={"archive_after_months": 3}), source))
    assert run(source, LOGS) == [("0 days",), ("85 days",)]
    ((name,),) = run(source, "select to_char(localtimestamp - interval '200 days', 'YYYY_MM')")
    assert run(source, f"select log_message from archive.system_logs_{name}") == [("200 days",)]
    assert told[1].startswith("system_logs: ")
    assert told[1].endswith(" partitions archived")
    assert list(keep_up(declaring(system_logs={"archive_after_months": 3}), source)) == [
        "0 partitions made",
        "system_logs: 0 partitions archived",
    ]


def test_partitions_of_the_coming_periods_are_made(new_database: Callable[[str], str]) -> None:
    source = new_database(SYSTEM)
    list(keep_up(declaring(), source))
    assert run(source, f"select ({LAST_MONTH})::date > localtimestamp + interval '4 months'") == [(True,)]
    assert list(keep_up(declaring(), source)) == ["0 partitions made"]


@pytest.mark.parametrize(("system", "table"), UPKEPT)
def test_old_rows_go_where_the_contract_says(new_database: Callable[[str], str], system: str, table: str) -> None:
    declared = CONTRACTS[system].tables[table].upkeep
    assert declared
    source = new_database(system)
    fill(system, source)
    run(source, f"delete from {table}")
    if declared.delete_after_days:
        limit = f"now() - interval '{declared.delete_after_days} days'"
        nearly_old = f"{limit} + interval '1 hour'"
    else:
        # Of a month that is not quite so old nothing goes.
        limit = f"date_trunc('month', now() - interval '{declared.archive_after_months} months', 'UTC')"
        nearly_old = limit
    for moment in ("now()", nearly_old):
        run(source, adding(system)[table].replace("%s", moment))
    young = run(source, f"select to_jsonb(t) from {table} as t order by 1")
    for moment in (f"{limit} - interval '1 microsecond'", "timestamptz '2001-02-03 04:05:06Z'"):
        run(source, adding(system)[table].replace("%s", moment))
    everything = run(source, f"select to_jsonb(t) from {table} as t order by 1")
    list(keep_up(CONTRACTS[system], source))
    assert run(source, f"select to_jsonb(t) from {table} as t order by 1") == young
    archives = run(source, "select oid::regclass from pg_class where relkind = 'r' and relnamespace = 'archive'::regnamespace")
    archived = [row for (name,) in archives for row in run(source, f"select to_jsonb(t) from {name} as t")]
    assert sorted([*young, *archived], key=str) == sorted(everything if declared.archive_after_months else young, key=str)


@pytest.mark.parametrize("system", sorted({system for system, _ in UPKEPT}))
def test_old_rows_are_deleted_ones_in_raw_with_all_their_values(new_database: Callable[[str], str], system: str) -> None:
    source, warehouse = new_database(system), new_database("warehouse")
    fill(system, source)
    contract = CONTRACTS[system]
    tables = {table: f"select {', '.join(contract.tables[table].columns)} from {{}} order by id" for of, table in UPKEPT if of == system}
    for table in tables:
        run(source, adding(system)[table], "2001-02-03 04:05:06Z")
        run(source, adding(system)[table].replace("%s", "now()"))
    sync(contract, source, warehouse)
    before = {table: run(source, query.format(table)) for table, query in tables.items()}
    list(keep_up(contract, source))
    sync(contract, source, warehouse)
    for table, query in tables.items():
        young = run(source, query.format(table))
        assert len(young) == 1
        raw = f"(select * from raw_{system}.{table} where _deleted_at is {{}}) as raw"
        assert run(warehouse, query.format(raw.format("null"))) == young
        assert run(warehouse, query.format(raw.format("not null"))) == [row for row in before[table] if row not in young]


@pytest.mark.parametrize("system", [system for system in EMBEDDED if adding(system)])
def test_a_writer_who_would_be_in_deadlock_with_upkeep_goes_first(new_database: Callable[[str], str], system: str) -> None:
    """It has changed tables that a partitioned one refers to, and wants that one, which upkeep has; upkeep wants what the writer has."""
    source = new_database(system)
    with ThreadPoolExecutor() as threads, closing(psycopg2.connect(source)) as writer, writer.cursor() as cursor:
        for (table,) in run(source, REFERRED_TO):
            cursor.execute(f"lock table {table} in row exclusive mode")
        upkeep = threads.submit(list, keep_up(CONTRACTS[system], source))
        until(lambda: run(source, IN_DEADLOCK) != [])
        for (table,) in run(source, IN_DEADLOCK):
            cursor.execute(f"lock table {table} in row exclusive mode")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            upkeep.result(timeout=20)
        writer.commit()
    assert next(keep_up(CONTRACTS[system], source)) != "0 partitions made"


def test_the_job_keeps_up_every_embedded_source(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert SYSTEM in EMBEDDED
    with dg.instance_for_test() as instance:
        resources = {"sources": Sources(fixed_urls=urls)}
        assert source_upkeep.execute_in_process(instance=instance, resources=resources).success
        for system, url in urls.items():
            for (table,) in run(url, PARTITIONED_TABLES):
                assert run(url, HAS_COMING_MONTHS, table) == [(True,)], (system, table)
        # One that is behind a URL is left to its owner.
        monkeypatch.setenv(url_variable(SYSTEM), "postgresql://nobody@/nowhere")
        broken = {"sources": Sources(fixed_urls={**urls, SYSTEM: "postgresql://nobody@/nowhere?host=/nowhere"})}
        assert source_upkeep.execute_in_process(instance=instance, resources=broken).success
        monkeypatch.delenv(url_variable(SYSTEM))
        with pytest.raises(psycopg2.OperationalError):
            source_upkeep.execute_in_process(instance=instance, resources=broken)


def test_a_source_whose_tables_are_in_use_is_tried_again(urls: dict[str, str]) -> None:
    with dg.instance_for_test() as instance, ThreadPoolExecutor() as threads:
        with closing(psycopg2.connect(urls[SYSTEM])) as reader, reader.cursor() as cursor:
            cursor.execute("select count(*) from system_logs")
            resources = {"sources": Sources(fixed_urls=urls)}
            job = threads.submit(source_upkeep.execute_in_process, instance=instance, resources=resources, raise_on_error=False)
            until(lambda: any(instance.get_records_for_run(one.run_id, of_type=TO_BE_RETRIED).records for one in instance.get_runs()))
            reader.rollback()
        assert job.result().success
    assert run(urls[SYSTEM], HAS_COMING_MONTHS, "system_logs") == [(True,)]


def test_half_a_declaration_is_a_problem_of_the_contract() -> None:
    for half in ({"delete_after_days": 90}, {"dated_by": "created_at"}):
        found = [what for where, what in problems(declaring(system_logs=half), SYSTEM) if where == ("tables", "system_logs", "upkeep")]
        assert found == ["delete_after_days and dated_by, the column that says how old a row is, need each other"]
    assert [*problems(declaring(system_logs={"delete_after_days": 90, "dated_by": "created_at"}), SYSTEM)] == []
