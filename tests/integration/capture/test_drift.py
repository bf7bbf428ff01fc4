"""Changes of shape, of the source and of the contract, in both capture modes."""

import re

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from dagster_project.ingestion.sync import sync
from tests.integration.capture.judge import exact_sync
from tests.integration.capture.oracle import compare, raw_contents, source_contents
from tests.integration.capture.places import Place
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill

TABLES = tuple(contract().tables)


WIDENINGS = (
    "alter table account alter column name type varchar(80)",
    "alter table account alter column name type text",
    "alter table account alter column size type bigint",
    "alter table entry alter column amount type numeric(20, 3), alter column ratio type double precision",
)

# What is refused, the name that the refusal must have in it, and how to take it back.
DRIFTS = (
    ("alter table account rename column mood to temper", r"account\.mood", "alter table account rename column temper to mood"),
    (
        "alter table account alter column name type varchar(20) using left(name, 20)",
        r"account\.name",
        "alter table account alter column name type varchar(40)",
    ),
    ("alter table ledger alter column at type date", r"ledger\.at", "alter table ledger alter column at type timestamp"),
    (
        "alter table setting alter column score type numeric using 0",
        r"setting\.score",
        "alter table setting alter column score type double precision",
    ),
    ("alter table setting rename to settings", "setting", "alter table settings rename to setting"),
    ("alter table account drop column mood", r"account\.mood", "alter table account add column mood mood default 'grim'"),
)


def test_widened_types_are_followed(awkward: SystemContract, somewhere: Place) -> None:
    for widening in WIDENINGS:
        fill(somewhere.source_url, widening, 8)
        somewhere.at_source(widening)
        exact_sync(somewhere, awkward)


def test_widened_key_is_followed(somewhere: Place) -> None:
    """With a slot the source itself refuses this: the key is part of a publication."""
    fill(somewhere.source_url, "before", 40)
    exact_sync(somewhere, contract())
    somewhere.at_source("alter table ledger alter column ledger_id type bigint")
    fill(somewhere.source_url, "after", 10)
    exact_sync(somewhere, contract())


def test_component_that_drifted_stands_still_and_the_others_go_on(awkward: SystemContract, somewhere: Place) -> None:
    for drift, name, undo in DRIFTS:
        before = raw_contents(somewhere.warehouse_url, awkward)
        fill(somewhere.source_url, drift, 8)
        somewhere.at_source(drift)
        result = sync(awkward, somewhere.source_url, somewhere.warehouse_url)
        assert [one.table for one in result.standing if re.search(name, one.reason or "")], drift
        standing = awkward.only([one.table for one in result.standing])
        others = awkward.only(awkward.tables.keys() - standing.tables.keys())
        kept = {table: before[table] for table in standing.tables}
        assert compare(kept, raw_contents(somewhere.warehouse_url, standing)).total == 0, drift
        assert compare(source_contents(somewhere.source_url, others), raw_contents(somewhere.warehouse_url, others)).total == 0, drift
        somewhere.at_source(undo)
        exact_sync(somewhere, awkward)


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
