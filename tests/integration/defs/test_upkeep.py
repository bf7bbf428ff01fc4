"""Upkeep of embedded sources: partitions of the coming periods, and what becomes of old rows, as contracts declare it."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts
from dagster_project.contracts.problems import problems
from dagster_project.contracts.table import Upkeep
from dagster_project.defs.upkeep import source_upkeep
from dagster_project.resources.warehouse import Sources
from dagster_project.settings import has_migrations, url_variable
from dagster_project.upkeep import keep_up
from tests.databases import run

SYSTEM = "forecast_tracking"
LOG = "insert into system_logs (log_level, log_message, created_at) values ('INFO', %s, localtimestamp - make_interval(days => %s))"
LOGS = "select log_message from system_logs order by 1"
LAST_MONTH = "select max(substring(pg_get_expr(relpartbound, oid) from 'TO .*(....-..-..)')) from pg_class where relname ~ '^system_logs_2'"

EMBEDDED = [system for system in load_contracts() if has_migrations(system)]


def declaring(**upkeep: Mapping[str, Any]) -> SystemContract:
    """The contract with this upkeep of tables, and of no others."""
    contract = load_contracts()[SYSTEM]
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


def test_the_job_keeps_up_every_embedded_source(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert SYSTEM in EMBEDDED
    urls = {system: new_database(system) for system in EMBEDDED}
    for system in EMBEDDED:
        monkeypatch.delenv(url_variable(system), raising=False)
    with dg.instance_for_test() as instance:
        resources = {"sources": Sources(fixed_urls=urls)}
        assert source_upkeep.execute_in_process(instance=instance, resources=resources).success
        for url in urls.values():
            made = "select create_future_partitions(4) from pg_proc where proname = 'create_future_partitions'"
            assert {number for (number,) in run(url, made)} <= {0}
        # One that is behind a URL is left to its owner.
        monkeypatch.setenv(url_variable(SYSTEM), "postgresql://nobody@/nowhere")
        broken = {"sources": Sources(fixed_urls={**urls, SYSTEM: "postgresql://nobody@/nowhere?host=/nowhere"})}
        assert source_upkeep.execute_in_process(instance=instance, resources=broken).success
        monkeypatch.delenv(url_variable(SYSTEM))
        with pytest.raises(psycopg2.OperationalError):
            source_upkeep.execute_in_process(instance=instance, resources=broken)


def test_half_a_declaration_is_a_problem_of_the_contract() -> None:
    for half in ({"delete_after_days": 90}, {"dated_by": "created_at"}):
        found = [what for where, what in problems(declaring(system_logs=half), SYSTEM) if where == ("tables", "system_logs", "upkeep")]
        assert found == ["delete_after_days and dated_by, the column that says how old a row is, need each other"]
    assert [*problems(declaring(system_logs={"delete_after_days": 90, "dated_by": "created_at"}), SYSTEM)] == []
