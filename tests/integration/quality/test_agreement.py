"""A verdict that stands and is wrong is found, and by its name."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event

from dagster_project.quality.agreement import Disagreement, disagreements
from dagster_project.quality.native import native_verdicts
from dagster_project.quality.suites import load_suites
from dagster_project.quality.validation import validate
from tests.integration.quality.conftest import PROJECT, database_of, execute

SUITE = load_suites()["forecast_tracking.tags"]


@pytest.fixture
def url(clean_warehouse: str, copy_database: Callable[[str], str]) -> str:
    """A warehouse whose verdicts are of its rows."""
    copy = copy_database(database_of(clean_warehouse))
    validate(copy, SUITE, PROJECT, everything=True)
    return copy


def test_both_agree_on_clean_rows(url: str) -> None:
    assert disagreements(url, SUITE, PROJECT) == []


def test_both_agree_on_rows_that_fail(url: str) -> None:
    execute(url, "update raw_forecast_tracking.tags set usage_count = -1")
    validate(url, SUITE, PROJECT, everything=True)
    assert disagreements(url, SUITE, PROJECT) == []


@pytest.mark.parametrize(
    ("damage", "compiled", "native"),
    [
        # No batch says that the row is another one.
        ("update raw_forecast_tracking.tags set usage_count = -1 where tag_id = 1", "passes", "fails, 1 rows"),
        (
            "update quality.verdicts set is_success = false, failing_rows = 3 where check_name = 'usage_count_is_not_negative'",
            "fails, 3 rows",
            "passes",
        ),
    ],
)
def test_what_stands_and_is_wrong_is_named(url: str, damage: str, compiled: str, native: str) -> None:
    execute(url, damage)
    assert disagreements(url, SUITE, PROJECT) == [Disagreement("usage_count_is_not_negative", compiled, native)]


def test_great_expectations_has_no_table_sent(url: str) -> None:
    """However many rows there are, none of them comes into memory to learn the columns."""
    asked: list[tuple[str, int]] = []

    def note(_: object, cursor: Any, statement: str, *__: object) -> None:  # noqa: ANN401
        asked.append((statement, cursor.rowcount))

    event.listen(Engine, "after_cursor_execute", note)
    try:
        assert all(verdict.is_success for verdict in native_verdicts(url, SUITE).values())
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    of_rows = [rows for statement, rows in asked if statement.startswith(SUITE.rows_query)]
    assert of_rows
    assert set(of_rows) == {0}
