"""The sensor that watches slots, on a real source: what it drops, what it leaves, and who hears of it how often."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import dagster as dg
import psycopg2
import pytest
from psycopg2.extras import LogicalReplicationConnection

from dagster_project.contracts.contract import SystemContract
from dagster_project.defs import slots
from dagster_project.ingestion import slot
from dagster_project.resources.alerts import Alerts
from dagster_project.resources.warehouse import Sources
from tests.alerts import receiver
from tests.databases import run

SYSTEM, NAME = "shop", "runmart_shop"
LIMIT_GIGABYTES = 0.02


def contract(capture: str = "cdc") -> SystemContract:
    return SystemContract.model_validate(
        {
            "system": SYSTEM,
            "description": "A source made for tests.",
            "capture": capture,
            "limits": {"slot_gigabytes": LIMIT_GIGABYTES},
            "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
            "tables": {name: {"description": "Rows.", "key": ["id"], "columns": ["id"]} for name in ("plain", "other")},
        }
    )


class Watch:
    """A source with a slot, and the sensor from one look to the next."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cursor: str | None = None

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return run(self.url, statement)

    def fill_the_log(self) -> None:
        # The first file may have been nearly full: two whole ones of 16 MB are surely more than the limit.
        for _ in range(3):
            self.run("select pg_logical_emit_message(false, 'test', 'fill'); select pg_switch_wal()")

    def has_slot(self) -> bool:
        return self.run("select slot_name from pg_replication_slots where database = current_database()") != []

    def look(self, url: str | None = None) -> list[dict[str, str]]:
        """What is told to people at this look."""
        with receiver() as (address, messages):
            resources = {"sources": Sources(fixed_urls={SYSTEM: url or self.url}), "alerts": Alerts(fixed_urls=[address])}
            with dg.DagsterInstance.ephemeral() as instance:
                context = dg.build_sensor_context(instance=instance, cursor=self.cursor, resources=resources)
                slots.replication_slots(context)
                self.cursor = context.cursor
        return messages


@pytest.fixture
def watch(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setattr(slots, "shared_contracts", lambda: {SYSTEM: contract()})
    watch = Watch(new_database("empty"))
    watch.run("create table plain (id bigint primary key); create table other (id bigint primary key)")
    slot.enable(contract(), watch.url)
    yield watch
    slot.disable(contract(), watch.url)


def test_slot_within_its_limit_is_left_alone(watch: Watch) -> None:
    watch.run("insert into plain values (1)")
    assert watch.look() == []
    assert watch.has_slot()


def test_slot_over_its_limit_is_dropped_and_told_once(watch: Watch) -> None:
    watch.fill_the_log()
    (message,) = watch.look()
    assert message["title"] == "Runmart: replication slot"
    assert f"The slot {NAME} held back " in message["message"]
    assert "more than 20.0 MB, and was dropped. Syncs go on by the horizon" in message["message"]
    assert f"`runmart source enable-cdc {SYSTEM}`" in message["message"]
    assert not watch.has_slot()
    assert watch.look() == []


def test_slot_left_over_from_a_changed_contract_is_dropped_too(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "shared_contracts", lambda: {SYSTEM: contract("horizon")})
    watch.fill_the_log()
    assert len(watch.look()) == 1
    assert not watch.has_slot()


def test_slot_over_its_limit_that_is_in_use_is_told_until_it_is_dropped(watch: Watch) -> None:
    watch.fill_the_log()
    with closing(psycopg2.connect(watch.url, connection_factory=LogicalReplicationConnection)) as connection:
        connection.cursor().start_replication(NAME, decode=False, options={"proto_version": "1", "publication_names": NAME})
        (message,) = watch.look()
        assert f"process {connection.info.backend_pid} uses the slot {NAME}" in message["message"]
        assert watch.look() == []
        watch.run(f"select pg_terminate_backend({connection.info.backend_pid}, 10000)")
    (message,) = watch.look()
    assert "was dropped" in message["message"]


def test_table_that_the_source_would_refuse_to_update_is_withdrawn_and_told(watch: Watch) -> None:
    watch.run("insert into plain values (1); alter table plain replica identity full")
    (message,) = watch.look()
    assert f"plain of {SYSTEM} was taken out of the publication" in message["message"]
    assert "it has another replica identity than the default" in message["message"]
    watch.run("update plain set id = 2")
    assert watch.look() == []
    assert watch.has_slot()


def test_source_that_cannot_be_reached_is_left_to_the_syncs(watch: Watch) -> None:
    assert watch.look("postgresql://nobody@127.0.0.1:1/nothing") == []
    watch.fill_the_log()
    assert len(watch.look()) == 1
