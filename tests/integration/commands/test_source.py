"""`runmart source enable-cdc`, `status` and `disable-cdc` on a real source: what is printed, and what is there afterwards."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2
import pytest
from typer.testing import CliRunner, Result

from dagster_project import source_cli, terminal
from dagster_project.commands import setup
from dagster_project.commands import source as commands
from dagster_project.contracts.contract import SystemContract
from dagster_project.errors import RunmartError
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.source_cli import source_app
from tests.databases import run
from tests.waiting import until

SYSTEM = "forecast_tracking"
ENABLE, DISABLE = f"`runmart source enable-cdc {SYSTEM}`", f"`runmart source disable-cdc {SYSTEM}`"
UNLIMITED = "the source keeps log for a slot without limit when Runmart is not running to watch it: set max_slot_wal_keep_size there"


def contract(capture: str, **limits: float) -> SystemContract:
    return SystemContract.model_validate(
        {
            "system": SYSTEM,
            "description": "A source made for tests.",
            "capture": capture,
            "limits": limits,
            "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
            "tables": {
                "plain": {"description": "Rows.", "key": ["id"], "columns": ["id"]},
                "late": {"description": "Rows.", "key": ["id"], "columns": ["id"]},
            },
        }
    )


class Source:
    """A source whose contract the commands find in the place of the real one."""

    def __init__(self, url: str, patch: pytest.MonkeyPatch) -> None:
        self.url = url
        self._patch = patch
        patch.setattr(terminal.out, "width", 120)
        patch.setenv(f"RUNMART_SOURCE_{SYSTEM.upper()}_URL", url)
        self.says("cdc")

    def says(self, capture: str, **limits: float) -> None:
        for module in (source_cli, commands, setup):
            self._patch.setattr(module, "shared_contracts", lambda: {SYSTEM: contract(capture, **limits)})

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return run(self.url, statement)

    def types(self, *words: str) -> Result:
        return CliRunner().invoke(source_app, words)

    def status(self) -> dict[str, Any]:
        result = self.types("status", "--json")
        assert result.exit_code == 0, result.output
        (status,) = json.loads(result.stdout)
        assert isinstance(status, dict)
        return status


@pytest.fixture
def source(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    source = Source(new_database("empty"), monkeypatch)
    source.run("create table plain (id bigint primary key); create table late (id bigint primary key deferrable)")
    yield source
    source.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()")


def test_enable_says_what_is_streamed_and_why_not_the_rest(source: Source) -> None:
    first, second = source.types("enable-cdc", SYSTEM), source.types("enable-cdc", SYSTEM)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"the slot runmart_{SYSTEM} was made" in first.stdout
    assert f"the slot runmart_{SYSTEM} was there already" in second.stdout
    lines = [" ".join(line.split()) for line in first.stdout.splitlines()]
    assert "plain the slot" in lines
    assert "late the horizon it has a primary key that is checked late (deferrable)" in lines
    assert f"runmart sync {SYSTEM}" in lines[-1]
    assert source.run("select slot_name::text from pg_replication_slots where database = current_database()") == [(f"runmart_{SYSTEM}",)]


def test_status_shows_slot_tables_and_what_is_wrong(source: Source) -> None:
    late = "it has a primary key that is checked late (deferrable)"
    before = source.status()
    assert (before["slot"], before["tables"]) == (None, {"plain": "there is no slot that can be read", "late": late})
    assert before["warnings"] == [f"there is no slot, changes are found by the horizon: run {ENABLE}"]
    source.types("enable-cdc", SYSTEM)
    enabled = source.status()
    assert enabled["tables"] == {"plain": None, "late": late}
    assert enabled["warnings"] == []
    assert enabled["slot"]["is_usable"]
    assert (enabled["limit_bytes"], enabled["server_limit_bytes"]) == (5_000_000_000, 10 * 2**30)
    source.run(f"alter publication runmart_{SYSTEM} drop table plain; alter publication runmart_{SYSTEM} add table late")
    source.says("cdc", slot_gigabytes=1e-9)
    changed = source.status()
    assert changed["tables"] == {"plain": "it is not published", "late": late}
    assert changed["warnings"][0] == f"the source refuses to update rows of late, published without their replica identity: run {ENABLE}"
    assert changed["warnings"][1].startswith("the slot holds back ")
    assert changed["warnings"][2:] == [f"tables that could be streamed are not: run {ENABLE}"]


def test_source_that_keeps_its_log_without_limit_is_warned_of(source: Source, server: EmbeddedServer) -> None:
    source.types("enable-cdc", SYSTEM)
    execute = partial(run, server.url("postgres"))
    with closing(psycopg2.connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        try:
            cursor.execute("alter system set max_slot_wal_keep_size = -1")
            cursor.execute("select pg_reload_conf()")
            until(lambda: execute("show max_slot_wal_keep_size") == [("-1",)])
            status = source.status()
        finally:
            cursor.execute("alter system reset max_slot_wal_keep_size")
            cursor.execute("select pg_reload_conf()")
            until(lambda: execute("show max_slot_wal_keep_size") != [("-1",)])
    assert (status["warnings"], status["server_limit_bytes"]) == ([UNLIMITED], None)


def test_slot_that_was_left_over_is_warned_of(source: Source) -> None:
    source.types("enable-cdc", SYSTEM)
    source.says("horizon")
    status = source.status()
    assert status["tables"] == {}
    assert status["warnings"] == [f"slot and publication are left over, the contract says `capture: horizon`: run {DISABLE}"]
    shown = source.types("status", SYSTEM).stdout
    assert f"runmart_{SYSTEM}" in shown
    assert f"warning: {SYSTEM}: slot and publication are left over" in shown
    assert "was_enabled" in source.types("disable-cdc", SYSTEM, "--json").stdout
    assert "nothing to do" in source.types("disable-cdc", SYSTEM).stdout
    assert source.status()["warnings"] == []


def test_source_that_cannot_be_asked_is_told_beside_the_others(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"RUNMART_SOURCE_{SYSTEM.upper()}_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    (warning,) = source.status()["warnings"]
    assert f"the source {SYSTEM} cannot be reached" in warning


@pytest.mark.parametrize("command", ["enable-cdc", "disable-cdc", "status"])
def test_unknown_system_is_one_clear_line(source: Source, command: str) -> None:
    result = source.types(command, "nothing")
    assert isinstance(result.exception, RunmartError)
    assert "there is no system 'nothing'; there are: " in str(result.exception)
