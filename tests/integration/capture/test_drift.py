"""Changes of shape, of the source and of the contract, in both capture modes."""

import pytest

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SchemaDrift
from dagster_project.ingestion.sync import sync
from tests.integration.capture.judge import exact_sync
from tests.integration.capture.oracle import compare, raw_contents
from tests.integration.capture.places import Place
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill

TABLES = tuple(contract().tables)


@pytest.fixture(params=["horizon", "cdc"])
def awkward(request: pytest.FixtureRequest, somewhere: Place) -> SystemContract:
    """The contract in each capture mode, its filled source synced once."""
    chosen = contract(request.param)
    fill(somewhere.source_url, "before", 40)
    if chosen.capture == "cdc":
        slot.enable(chosen, somewhere.source_url)
    exact_sync(somewhere, chosen)
    return chosen


@pytest.mark.parametrize(
    "widening",
    [
        "alter table account alter column name type varchar(80)",
        "alter table account alter column name type text",
        "alter table account alter column size type bigint",
        "alter table entry alter column amount type numeric(20, 3)",
        "alter table entry alter column ratio type double precision",
    ],
)
def test_widened_type_is_followed(widening: str, awkward: SystemContract, somewhere: Place) -> None:
    fill(somewhere.source_url, "beside", 10)
    somewhere.at_source(widening)
    exact_sync(somewhere, awkward)
    fill(somewhere.source_url, "after", 10)
    exact_sync(somewhere, awkward)


def test_widened_key_is_followed(somewhere: Place) -> None:
    """With a slot the source itself refuses this: the key is part of a publication."""
    fill(somewhere.source_url, "before", 40)
    exact_sync(somewhere, contract())
    somewhere.at_source("alter table ledger alter column ledger_id type bigint")
    fill(somewhere.source_url, "after", 10)
    exact_sync(somewhere, contract())


@pytest.mark.parametrize(
    ("drift", "names"),
    [
        ("alter table account rename column mood to temper", "account.mood"),
        ("alter table account drop column mood", "account.mood"),
        ("alter table account alter column name type varchar(20) using left(name, 20)", "account.name"),
        ("alter table ledger alter column at type date", "ledger.at"),
        ("alter table setting alter column score type numeric using 0", "setting.score"),
        ("alter table setting rename to settings", "setting"),
    ],
)
def test_drift_fails_with_its_name_and_writes_nothing(drift: str, names: str, awkward: SystemContract, somewhere: Place) -> None:
    fill(somewhere.source_url, "beside", 10)
    before = raw_contents(somewhere.warehouse_url, awkward)
    somewhere.at_source(drift)
    with pytest.raises(SchemaDrift, match=names):
        sync(awkward, somewhere.source_url, somewhere.warehouse_url)
    assert compare(before, raw_contents(somewhere.warehouse_url, awkward)).total == 0


def test_column_that_is_declared_later_arrives_whole(awkward: SystemContract, somewhere: Place) -> None:
    somewhere.at_source("alter table document add column colour text default 'red'")
    exact_sync(somewhere, awkward)
    more = contract(awkward.capture, columns={"document": [*awkward.tables["document"].columns, "colour"]})
    exact_sync(somewhere, more)
    fill(somewhere.source_url, "after", 10)
    exact_sync(somewhere, more)


def test_column_that_is_not_declared_for_a_while_comes_back_right(awkward: SystemContract, somewhere: Place) -> None:
    fewer = contract(awkward.capture, columns={"account": [c for c in awkward.tables["account"].columns if c != "size"]})
    exact_sync(somewhere, fewer)
    somewhere.at_source("update account set size = 1 + account_id")
    exact_sync(somewhere, fewer)
    exact_sync(somewhere, awkward)


def test_table_that_is_not_declared_for_a_while_comes_back_right(awkward: SystemContract, somewhere: Place) -> None:
    fewer = contract(awkward.capture, [table for table in TABLES if table not in ("account", "event")])
    for turn in range(2):
        fill(somewhere.source_url, f"without {turn}", 20)
        exact_sync(somewhere, fewer)
    exact_sync(somewhere, awkward)
    fill(somewhere.source_url, "with", 20)
    exact_sync(somewhere, awkward)


def test_table_is_declared_again_after_the_slot_was_made_for_fewer(awkward: SystemContract, somewhere: Place) -> None:
    fewer = contract(awkward.capture, [table for table in TABLES if table != "account"])
    if awkward.capture == "cdc":
        slot.enable(fewer, somewhere.source_url)
    fill(somewhere.source_url, "without", 20)
    exact_sync(somewhere, fewer)
    fill(somewhere.source_url, "with", 20)
    exact_sync(somewhere, awkward)
    fill(somewhere.source_url, "with again", 20)
    exact_sync(somewhere, awkward)
    if awkward.capture == "cdc":
        slot.enable(awkward, somewhere.source_url)
    for turn in range(3):
        fill(somewhere.source_url, f"enabled {turn}", 20)
        exact_sync(somewhere, awkward)


def test_raw_table_that_was_dropped_is_loaded_again(awkward: SystemContract, somewhere: Place) -> None:
    fill(somewhere.source_url, "beside", 10)
    somewhere.in_warehouse("drop table raw_awkward.entry, raw_awkward.event")
    exact_sync(somewhere, awkward)
    fill(somewhere.source_url, "after", 10)
    exact_sync(somewhere, awkward)


def test_failed_table_catches_up_once_it_is_repaired(awkward: SystemContract, somewhere: Place) -> None:
    somewhere.at_source("alter table account rename column size to height")
    for turn in range(2):
        fill(somewhere.source_url, f"broken {turn}", 20)
        with pytest.raises(SchemaDrift, match=r"account\.size"):
            sync(awkward, somewhere.source_url, somewhere.warehouse_url)
    somewhere.at_source("alter table account rename column height to size")
    exact_sync(somewhere, awkward)
