"""The relay between two databases: what arrives, and whose error is told when one side fails."""

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion.errors import StatementFailed
from dagster_project.ingestion.relay import Copied, Relay

NUMBERS = sql.Identifier("numbers")

# Ten megabytes: more than a pipe holds.
MANY = sql.SQL("select number from generate_series(1, 1000000) as number")


@pytest.fixture
def relay(new_database: Callable[[str], str]) -> Iterator[Relay]:
    with (
        closing(psycopg2.connect(new_database("empty"))) as source,
        closing(psycopg2.connect(new_database("empty"))) as warehouse,
        source.cursor() as reading,
        warehouse.cursor() as writing,
    ):
        writing.execute("create table numbers (number integer)")
        yield Relay(reading, writing)


def answer(cursor: Cursor, query: str) -> object:
    cursor.execute(query)
    (row,) = cursor.fetchall()
    return row[0]


def test_all_rows_arrive_after_what_the_warehouse_does_meanwhile(relay: Relay) -> None:
    meanwhile = sql.SQL("create table before as select count(*) as rows from numbers")
    copied = relay.copy(MANY, NUMBERS, meanwhile=meanwhile)
    # A header of 19 bytes, 10 bytes a row, an end of 2.
    assert copied == Copied(1_000_000, 10_000_021)
    assert answer(relay.warehouse, "select sum(number) from numbers") == 500_000_500_000
    assert answer(relay.warehouse, "select rows from before") == 0


def test_failure_of_the_warehouse_meanwhile_ends_the_reading(relay: Relay) -> None:
    with pytest.raises(StatementFailed) as failed:
        relay.copy(MANY, NUMBERS, meanwhile=sql.SQL("select 1 / 0"))
    assert isinstance(failed.value.cause, errors.DivisionByZero)
    assert not failed.value.is_at_source
    relay.warehouse.connection.rollback()
    relay.source.connection.rollback()
    assert answer(relay.source, "select 1") == 1


def test_failure_of_the_source_is_told_as_its_own(relay: Relay) -> None:
    with pytest.raises(StatementFailed, match="division by zero") as failed:
        relay.copy(sql.SQL("select number / (number - 500000) from ({}) as numbers").format(MANY), NUMBERS, meanwhile=sql.SQL("select 1"))
    assert (failed.value.is_at_source, failed.value.row) == (True, 500_000)


def test_row_that_the_warehouse_refuses_is_counted_and_the_reading_ends(relay: Relay) -> None:
    relay.warehouse.execute("alter table numbers add check (number <> 700000)")
    with pytest.raises(StatementFailed) as failed:
        relay.copy(MANY, NUMBERS)
    assert (failed.value.is_at_source, failed.value.row) == (False, 700_000)
    relay.warehouse.connection.rollback()
    relay.source.connection.rollback()
    assert answer(relay.source, "select 1") == 1
