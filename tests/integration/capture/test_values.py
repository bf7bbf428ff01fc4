"""Types of values and of keys, in both capture modes: each arrives as it is, changes, is deleted and comes back."""

from typing import Literal

import psycopg2
import pytest

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion import slot
from tests.integration.capture.judge import exact_sync
from tests.integration.capture.places import Place

BOTH = pytest.mark.parametrize("capture", ["horizon", "cdc"])

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
    "text[]": ["array['a', null]", "'{}'", "array['NULL', '{\"']"],
    "mood": ["'calm'", "'wild'"],
    "positive": ["1", "2"],
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647", "0", "-1"],
    "bigint": ["-9223372036854775808", "9223372036854775807", "-64", "-63"],
}

VALUES = {
    **KEYS,
    "point": ["'(1,2)'", "'(-0.0,NaN)'"],
    "json": ["'{\"a\":  1}'", "'[1, 1.0]'"],
    "xml": ["'<a/>'", "'<b>1</b>'"],
    "tsvector": ["'a:1'", "'b:2 c'"],
    "money": ["1.5", "-2"],
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


def of(capture: str, key: str) -> SystemContract:
    mode: Literal["horizon", "cdc"] = "cdc" if capture == "cdc" else "horizon"
    table = {"description": "Values.", "key": [key], "columns": ["id", "value"]}
    freshness = {"warn_after_hours": 1, "error_after_hours": 2}
    system = {"system": "awkward", "description": "Values.", "capture": mode, "freshness": freshness, "tables": {"sample": table}}
    return SystemContract.model_validate(system)


@BOTH
@pytest.mark.parametrize("kind", KEYS)
def test_key_of_a_type(kind: str, capture: str, somewhere: Place) -> None:
    somewhere.at_source(NAMED)
    try:
        somewhere.at_source(f"create table sample (value {kind} primary key, id integer)")
    except psycopg2.errors.UndefinedObject:
        pytest.skip(f"{kind} cannot be a key")
    check(somewhere, of(capture, "value"), KEYS[kind], kind)


@BOTH
@pytest.mark.parametrize("kind", VALUES)
def test_value_of_a_type(kind: str, capture: str, somewhere: Place) -> None:
    somewhere.at_source(NAMED)
    somewhere.at_source(f"create table sample (id integer primary key, value {kind})")
    check(somewhere, of(capture, "id"), VALUES[kind], kind)


def check(place: Place, chosen: SystemContract, values: list[str], kind: str) -> None:
    if chosen.capture == "cdc":
        slot.enable(chosen, place.source_url)
    for number, value in enumerate(values[::2]):
        place.at_source(f"insert into sample (id, value) values ({number}, {value}::{kind})")
    exact_sync(place, chosen)
    for number, value in enumerate(values[1::2]):
        place.at_source(f"update sample set value = {value}::{kind} where id = {number}")
    exact_sync(place, chosen)
    place.at_source("delete from sample where id = 0")
    exact_sync(place, chosen)
    place.at_source(f"insert into sample (id, value) values (0, {values[0]}::{kind})")
    exact_sync(place, chosen)
