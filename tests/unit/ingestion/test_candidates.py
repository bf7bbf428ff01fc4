"""How sets of rows that may differ are said in SQL."""

from dataclasses import replace

import pytest
from psycopg2 import sql

from dagster_project.ingestion.candidates import written_since
from dagster_project.ingestion.catalog import SourceTable
from dagster_project.ingestion.source import Position

BEFORE = Position("100:100:", "1", 1, database=5, next_transaction=100, started_at="", lsn="0/0", taken_at="")


def said(first: int, end: int, table: SourceTable) -> str:
    """The condition on rows of transactions from one on, before another."""
    before, now = replace(BEFORE, snapshot=f"{first}:{first}:"), replace(BEFORE, next_transaction=end)
    (condition,) = written_since(table, before, now, table.leaves).reads
    assert isinstance(condition, sql.Composed)
    parts = (part for part in condition if isinstance(part, sql.Literal | sql.SQL))
    return "".join(str(part.wrapped) if isinstance(part, sql.Literal) else part.string for part in parts)


@pytest.fixture
def table() -> SourceTable:
    return SourceTable({}, "shape", {"1": "t"}, has_transactions=True, is_logged=True, estimated_rows=0, bytes=0)


def test_few_transactions_are_named(table: SourceTable) -> None:
    assert said(100, 103, table) == "source.xmin = any(['100', '101', '102']::xid[])"


def test_none_is_named_where_none_has_begun(table: SourceTable) -> None:
    assert said(100, 100, table) == "source.xmin = any([]::xid[])"


def test_of_many_the_age_is_asked(table: SourceTable) -> None:
    assert said(100, 117, table) == "age(source.xmin) between 0 and age(100::xid)"


def test_numbers_of_transactions_wrap_around(table: SourceTable) -> None:
    assert said(2**32 - 1, 2**32 + 2, table) == "source.xmin = any(['4294967295', '0', '1']::xid[])"
    assert said(2**32 + 5, 2**32 + 99, table) == "age(source.xmin) between 0 and age(5::xid)"
