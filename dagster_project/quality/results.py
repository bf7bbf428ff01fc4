"""The table quality.validation_results: every result of every run, for SQL.

Belongs here: writing it. Does not belong here: pages for people (`data_docs`).
"""

import json

from psycopg2.extras import execute_values

from dagster_project.postgres.cursors import one_row
from dagster_project.quality.suites import MARTS, Suite
from dagster_project.quality.validation import Validation, warehouse_connection

_INSERT = """
insert into quality.validation_results (
    run_id, asset_key, suite, expectation, column_name, severity, is_success,
    evaluated_rows, failing_rows, failing_sample, failing_query, error, batch_id, validated_at
)
values %s
"""

_NEWEST_BATCH = "select max(batch_id) from ops.batches where system = coalesce(%s, system)"


def record(url: str, suite: Suite, validation: Validation, run_id: str) -> None:
    """Write one row per result, all or none, with the newest batch that the checked rows reflect.

    Args:
        url: libpq URL of the warehouse.
        suite: What was checked.
        validation: What came of it.
        run_id: Identity of the run that checked.
    """
    with warehouse_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute(_NEWEST_BATCH, (None if suite.system == MARTS else suite.system,))
        (batch_id,) = one_row(cursor)
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
                batch_id,
                validation.validated_at,
            )
            for result in validation.results
        ]
        execute_values(cursor, _INSERT, rows, page_size=len(rows))
