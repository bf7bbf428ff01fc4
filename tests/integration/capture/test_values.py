"""Types of values and of keys, in both capture modes: each arrives as it is, changes, is deleted and comes back."""

from collections.abc import Callable

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from tests.databases import wait_for_earlier_transactions
from tests.integration.capture.judge import exact_sync
from tests.integration.capture.places import Place
from tests.integration.capture.tables import ODD_TABLE, contract
from tests.integration.capture.writers import fill

# Type of the key, and values in pairs: the second replaces the first.
KEYS = {
    "numeric": ["1.0", "1.00", "'NaN'", "'-Infinity'", "1e-30", "10.5"],
    "double precision": ["0.0", "'-0.0'", "'NaN'", "1e300", "0.1", "0.30000000000000004"],
    "real": ["0.1", "0.2", "'Infinity'", "'NaN'"],
    "text": [r"E'a\\b'", r"E'tab\t\nline'", "'\"quoted\"'", "''", r"E'x\n\\.\ny'", "'NULL'", "'{a,b}'", "'größe %s %'"],
    "character(5)": ["'a'", "'ab'"],
    "varchar(20)": ["'ä'", "'a''b'"],
    "name": ["'n'", "'m'"],
    '"char"': ["'x'", "'y'"],
    "boolean": ["true", "false"],
    "date": ["'infinity'", "'0044-03-15 BC'", "'2024-02-29'", "'5874897-12-31'"],
    "timestamp": ["'-infinity'", "'2024-01-01 00:00:00.000001'", "'0044-03-15 BC'", "'infinity'"],
    "timestamptz": ["'2024-10-27 02:30+02'", "'2024-10-27 02:30+01'"],
    "time": ["'24:00'", "'00:00'"],
    "timetz": ["'01:00+02'", "'00:00+01'"],
    "interval": ["'1 day'", "'24 hours'", "'1 mon -1 day'", "'-1 year 2 mons'"],
    "bytea": [r"'\x00ff'", r"'\x'"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "inet": ["'10.0.0.1/8'", "'10.0.0.1'"],
    "bit(3)": ["b'101'", "b'000'"],
    "jsonb": ["'{\"a\": 1.0}'", "'{\"a\": 1.00}'"],
    "int4range": ["'[1,5)'", "'empty'"],
    "mood": ["'calm'", "'wild'"],
    "positive": ["1", "2"],
    "smallint": ["'-32768'", "32767"],
    "integer": ["'-2147483648'", "2147483647", "0", "'-1'"],
    "bigint": ["'-9223372036854775808'", "9223372036854775807", "'-64'", "'-63'"],
}

VALUES = {
    **KEYS,
    "point": ["'(1,2)'", "'(-0.0,NaN)'"],
    "json": ["'{\"a\":  1}'", "'[1, 1.0]'"],
    "tsvector": ["'a:1'", "'b:2 c'"],
    "money": ["'1.5'", "'-2'"],
    "pg_lsn": ["'0/1'", "'1/0'"],
    "mood[]": ["array['calm', null]::mood[]", "'{}'"],
    "positive[]": ["array[1, 2]::positive[]", "'{}'"],
    "numeric[]": ["array[1.0]", "array[1.00]"],
    "deep": ["'calm'", "'wild'"],
    "pair": ["row(1, 'a')", "row(null, '')"],
    "pair[]": ["array[row(1, 'a')::pair]", "'{}'"],
    "integer[]": ["'[0:1]={1,2}'", "'{{1,2},{3,4}}'"],
    "nummultirange": ["'{[1,2)}'", "'{}'"],
    "path": ["'((0,0),(1,1))'", "'[(0,0),(1,1)]'"],
}

NAMED = "create domain deep_base as mood; create domain deep as deep_base; create type pair as (left_one integer, right_one text)"

# Table by name: the type of its value, and whether that is its key.
TABLES = {
    f"{'key' if is_key else 'value'} {kind}".replace('"', ""): (kind, is_key)
    for is_key, kinds in ((True, KEYS), (False, VALUES))
    for kind in kinds
}


def all_types(capture: str) -> SystemContract:
    tables = {
        name: {"description": "Values.", "key": ["value" if is_key else "id"], "columns": ["id", "value"]}
        for name, (_, is_key) in TABLES.items()
    }
    freshness = {"warn_after_hours": 1, "error_after_hours": 2}
    system = {"system": "awkward", "description": "Values.", "capture": capture, "freshness": freshness, "tables": tables}
    return SystemContract.model_validate(system)


@pytest.mark.parametrize("capture", ["horizon", "cdc"])
def test_every_type_as_key_and_as_value(capture: str, somewhere: Place) -> None:
    somewhere.at_source(NAMED)
    for name, (kind, is_key) in TABLES.items():
        somewhere.at_source(
            f'create table "{name}" (id integer, value {kind}); alter table "{name}" add primary key ({"value" if is_key else "id"})'
        )
    chosen = all_types(capture)
    if capture == "cdc":
        assert set(slot.enable(chosen, somewhere.source_url).tables.values()) == {None}
    change(somewhere, lambda number, value: f"insert into {{table}} (id, value) values ({number}, {value}::{{kind}})", first=0)
    exact_sync(somewhere, chosen)
    wait_for_earlier_transactions(somewhere.source_url)
    change(somewhere, lambda number, value: f"update {{table}} set value = {value}::{{kind}} where id = {number}", first=1)
    result = exact_sync(somewhere, chosen)
    assert {table.found_by for table in result.tables if capture == "cdc"} <= {"change data capture"}
    change(somewhere, lambda number, _: f"delete from {{table}} where id = {number} and {number} = 0", first=0)
    exact_sync(somewhere, chosen)
    change(somewhere, lambda number, value: f"insert into {{table}} (id, value) select 0, {value}::{{kind}} where {number} = 0", first=0)
    exact_sync(somewhere, chosen)


def change(place: Place, statement: Callable[[int, str], str], first: int) -> None:
    """Run a statement for every other value of every table, beginning with the first or the second."""
    place.at_source(
        ";".join(
            statement(number, value).replace("{table}", f'"{name}"').replace("{kind}", kind)
            for name, (kind, _) in TABLES.items()
            for number, value in enumerate(VALUES[kind][first::2])
        )
    )


def test_role_that_may_only_select(somewhere: Place) -> None:
    fill(somewhere.source_url, "before", 40)
    role = f"reader_of_{somewhere.source}"
    somewhere.at_source(
        f"""
        create role {role} login; grant usage on schema "Odd Schema" to {role};
        grant select on account, entry, document, setting, ledger, event, {ODD_TABLE} to {role}
        """
    )
    url = somewhere.source_server.url(somewhere.source, role)
    for turn in range(3):
        exact_sync(somewhere, contract(), source_url=url)
        fill(somewhere.source_url, f"turn {turn}", 15)
    somewhere.at_source(f"drop owned by {role}; drop role {role}")


def test_key_of_an_array_type(somewhere: Place) -> None:
    somewhere.at_source("create table sample (value text[] primary key, id integer); insert into sample values (array['a', null], 1)")
    table = {"description": "Arrays.", "key": ["value"], "columns": ["value", "id"]}
    chosen = contract("cdc").model_copy(update={"tables": {"sample": next(iter(contract().tables.values())).model_validate(table)}})
    slot.enable(chosen, somewhere.source_url)
    exact_sync(somewhere, chosen)
    somewhere.at_source("update sample set value = '{}'; insert into sample values (array['NULL', '{\"'], 2)")
    exact_sync(somewhere, chosen)


def test_source_in_another_encoding(somewhere: Place) -> None:
    server = somewhere.source_server
    latin = f"{somewhere.source}_latin"
    server.execute(f"create database {latin} encoding latin1 locale 'C' template template0")
    other = Place(server, somewhere.warehouse_server, latin, somewhere.warehouse)
    other.at_source('create table "value text" (id integer primary key, value text); insert into "value text" values (1, \'größe\')')
    chosen = all_types("horizon")
    few = chosen.model_copy(update={"tables": {"value text": chosen.tables["value text"]}})
    exact_sync(other, few)
    assert somewhere.in_warehouse('select value from raw_awkward."value text"') == [("größe",)]
    server.execute(f"drop database {latin} with (force)")


def test_view_that_changes_without_a_transaction(somewhere: Place) -> None:
    somewhere.at_source('create sequence counter; create view "value integer" as select 1 as id, last_value::integer as value from counter')
    chosen = all_types("horizon")
    few = chosen.model_copy(update={"tables": {"value integer": chosen.tables["value integer"]}})
    for _ in range(4):
        somewhere.at_source("select nextval('counter')")
        exact_sync(somewhere, few)
