"""The table quality.validation_results: every result of every run, for SQL.

Belongs here: writing it. Does not belong here: pages for people (`data_docs`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dagster_project.postgres.cursors import one_row
from dagster_project.quality.suites import Severity, Suite
from dagster_project.quality.validation import Validation, warehouse_connection

_INSERT = """
insert into quality.validation_results (
    run_id, asset_key, suite, expectation, column_name, severity, is_success,
    evaluated_rows, failing_rows, failing_sample, failing_query, error, batch_id, validated_at
)
values %s
"""

_NEWEST_BATCH = "select max(batch_id) from ops.batches"


def record(connection: Connection, suite: Suite, validation: Validation, run_id: str) -> None:
    """Write one row per result, all or none.

    Args:
        connection: To the warehouse, see `warehouse_connection`.
        suite: What was checked.
        validation: What came of it.
        run_id: Identity of the run that checked.
    """
    with connection.cursor() as cursor:
        rows = [
            (
                run_id,
                "/".join(suite.asset_key),
                suite.name,
                result.check_name,
                result.column,
                result.severity,
                result.is_success,
                result.evaluated_rows,
                result.failing_rows,
                json.dumps(result.failing_sample),
                result.failing_query,
                result.error,
                result.batch_id,
                validation.validated_at,
            )
            for result in validation.results
        ]
        execute_values(cursor, _INSERT, rows, page_size=len(rows))


@dataclass(frozen=True)
class Verdict:
    """What a check that no suite has found.

    Attributes:
        asset: Key of the asset.
        check: Name of the check.
        is_success: Whether it passed.
        evaluated_rows: How many rows it looked at.
        failing_rows: How many of them failed.
        failing_sample: The first of these.
        severity: Whether a failure blocks.
    """

    asset: Sequence[str]
    check: str
    is_success: bool
    evaluated_rows: int
    failing_rows: int
    failing_sample: Sequence[Mapping[str, object]]
    severity: Severity = Severity.CRITICAL


def record_verdict(url: str, verdict: Verdict, run_id: str) -> None:
    """Write one row for a check that no suite has, with the newest batch that there is."""
    with warehouse_connection(url) as connection, connection.cursor() as cursor:
        write_verdict(cursor, verdict, run_id)


def write_verdict(cursor: Cursor, verdict: Verdict, run_id: str) -> None:
    """The same in a transaction that is under way."""
    cursor.execute(_NEWEST_BATCH)
    (batch_id,) = one_row(cursor)
    cursor.execute(
        "insert into quality.validation_results (run_id, asset_key, suite, expectation, severity, is_success, evaluated_rows,"
        " failing_rows, failing_sample, batch_id, validated_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
        (
            run_id,
            "/".join(verdict.asset),
            ".".join(verdict.asset),
            verdict.check,
            verdict.severity,
            verdict.is_success,
            verdict.evaluated_rows,
            verdict.failing_rows,
            json.dumps(verdict.failing_sample),
            batch_id,
        ),
    )
