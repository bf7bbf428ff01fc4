"""Running a suite: native Great Expectations, its verdicts turned into one plain result per expectation.

Belongs here: the context, the verdicts, and for what fails the sample of rows. Does not belong here: keeping results (`results`,
`data_docs`). Great Expectations is imported when the first suite runs: the import takes seconds, and most processes never need it.
"""

import json
import os
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import connection as Connection
from sqlalchemy import make_url

from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.quality.failing_rows import failing_query
from dagster_project.quality.metric_ranges import METRIC_RANGES_FILE, METRIC_RANGES_TABLE, declare, load_metric_ranges
from dagster_project.quality.suites import Expectation, Severity, Suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext

SAMPLE_ROWS = 20

_AS_ROLE = f"-c role={TRANSFORM}"


@dataclass(frozen=True)
class CheckResult:
    """What came of one expectation.

    Attributes:
        check_name: `<table>__<check>`.
        description: What is expected.
        expectation_type: As Great Expectations names it.
        column: The column that it is about, if there is exactly one.
        severity: Whether a failure blocks; a warning where there is no such table yet.
        is_success: Whether the data is as expected; False too when that could not be found out.
        evaluated_rows: Rows looked at; None for expectations about the table as a whole.
        failing_rows: Rows that break the expectation; None when that could not be found out.
        failing_sample: Up to 20 of them, each a dict of its key and the values at fault that can be written as JSON.
        failing_query: SQL that finds all of them.
        error: Why the check could not be evaluated; None if it was.
    """

    check_name: str
    description: str
    expectation_type: str
    column: str | None
    severity: Severity
    is_success: bool
    evaluated_rows: int | None
    failing_rows: int | None
    failing_sample: tuple[dict[str, Any], ...]
    failing_query: str
    error: str | None


@dataclass(frozen=True)
class Validation:
    """What came of one suite.

    Attributes:
        suite: Name of the suite.
        validated_at: When it started, in UTC.
        seconds: How long it took.
        results: One per expectation, in the order of the suite.
    """

    suite: str
    validated_at: datetime
    seconds: float
    results: tuple[CheckResult, ...]


def validate(url: str, suite: Suite, ranges_file: Path = METRIC_RANGES_FILE) -> Validation:
    """Check the rows that a suite is about.

    Args:
        url: libpq URL of the warehouse; its user must be a member of runmart_transform.
        suite: What to check.
        ranges_file: The ranges of metrics, for suites that ask for them.

    Raises:
        MetricRangesError: The file of ranges cannot be used.
        psycopg2.OperationalError: The warehouse cannot be reached.
    """
    validated_at, started = datetime.now(UTC), time.monotonic()
    with warehouse_connection(url) as connection:
        if any(METRIC_RANGES_TABLE in expectation.query for expectation in suite.expectations):
            declare(connection, load_metric_ranges(ranges_file))
        evaluated_rows = _count(connection, suite)
        verdicts = _run(url, suite)
        results = tuple(
            _result(connection, suite, expectation, verdicts[expectation.meta.check], evaluated_rows) for expectation in suite.expectations
        )
    return Validation(suite.name, validated_at, round(time.monotonic() - started, 3), results)


@contextmanager
def warehouse_connection(url: str) -> Iterator[Connection]:
    """A connection in the role that checks run in; every statement stands for itself."""
    connection = psycopg2.connect(url, connect_timeout=10, options=_AS_ROLE, application_name="runmart check")
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def _run(url: str, suite: Suite) -> dict[str, "ExpectationValidationResult"]:
    """Verdicts by check: Great Expectations returns them in an order of its own, not in the suite's."""
    context = _context()
    from great_expectations import ExpectationSuite  # noqa: PLC0415
    from great_expectations.datasource.fluent.interfaces import GxDatasourceWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        # It recommends add_postgres, which refuses a Unix socket.
        warnings.simplefilter("ignore", GxDatasourceWarning)
        # A data source of its own per run: nothing that an earlier run knew about a table can be out of date, or be of another warehouse.
        source = context.data_sources.add_or_update_sql(name=str(uuid.uuid4()), connection_string=_connection_string(url))
    try:
        batch = source.add_query_asset(name=suite.name, query=suite.rows_query).add_batch_definition_whole_table("rows").get_batch()
        verdicts = batch.validate(ExpectationSuite(**suite.model_dump(mode="json")), result_format="BASIC").results
        return {verdict.expectation_config.meta["check"]: verdict for verdict in verdicts if verdict.expectation_config}
    finally:
        # It keeps two pools, and closes neither.
        for engine in (source.get_engine(), source.get_execution_engine().engine):
            engine.dispose()
        context.data_sources.delete(source.name)


def _connection_string(url: str) -> str:
    in_role = make_url(sqlalchemy_url(url)).update_query_dict({"options": _AS_ROLE})
    # Great Expectations takes $NAME in it for a setting of its own.
    return in_role.render_as_string(hide_password=False).replace("$", "%24")


@cache
def _context() -> "EphemeralDataContext":
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations  # noqa: PLC0415
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _result(
    connection: Connection, suite: Suite, expectation: Expectation, verdict: "ExpectationValidationResult", evaluated_rows: int | None
) -> CheckResult:
    query, error = failing_query(suite, expectation), _error(verdict.exception_info or {})
    failing_rows = None if error else _failing_rows(verdict.result)
    return CheckResult(
        check_name=suite.check_name(expectation),
        description=expectation.description,
        expectation_type=expectation.type,
        column=expectation.column,
        # What is not there holds up nothing else, and nothing is built on it either.
        severity=Severity.WARNING if evaluated_rows is None else expectation.severity,
        is_success=bool(verdict.success),
        evaluated_rows=evaluated_rows if expectation.meta.level == "row" else None,
        failing_rows=failing_rows,
        failing_sample=_sample(connection, query) if failing_rows else (),
        failing_query=f"{query};",
        error=error,
    )


def _failing_rows(result: Mapping[str, Any]) -> int:
    # In an empty table Great Expectations counts None.
    return int(result.get("unexpected_count", result.get("observed_value")) or 0)


def _error(exception_info: Mapping[str, Any]) -> str | None:
    """The reason why a check could not be evaluated. It comes per metric, or alone if the expectation itself failed."""
    for info in (exception_info, *(value for value in exception_info.values() if isinstance(value, Mapping))):
        if info.get("raised_exception"):
            return str(info["exception_message"]).partition("\n")[0]
    return None


def _count(connection: Connection, suite: Suite) -> int | None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"select count(*) from ({suite.rows_query}) as batch")
        except psycopg2.ProgrammingError:
            # The table is missing; every check will say so.
            return None
        return int(one_row(cursor)[0])


def _sample(connection: Connection, query: str) -> tuple[dict[str, Any], ...]:
    """Failing rows; PostgreSQL writes them as JSON, where NaN, times and identifiers are strings."""
    with connection.cursor() as cursor:
        cursor.execute(f"select cast(to_json(failing) as text) from ({query} limit {SAMPLE_ROWS}) as failing")
        return tuple(json.loads(row) for (row,) in cursor.fetchall())
