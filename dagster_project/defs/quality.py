"""The suites as asset checks.

Belongs here: one check definition per suite, and how a result looks in Dagster. Does not belong here: what is expected (`expectations/`)
and how it is found out (`quality/`). Checks stand in definitions of their own: specs on an asset would make all other checks of an
automated run vanish.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import psycopg2

from dagster_project.quality.data_docs import write_page
from dagster_project.quality.metric_ranges import load_metric_ranges
from dagster_project.quality.results import record
from dagster_project.quality.suites import Severity, Suite, load_suites
from dagster_project.quality.validation import CheckResult, validate
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace, Warehouse

_MAX_RETRIES = 3


def expectation_checks(suite: Suite, namespace: Namespace) -> dg.AssetChecksDefinition:
    """The checks of one raw table or mart; any of them can be run alone."""
    asset = dg.AssetKey(namespace.path(*suite.asset_key))

    @dg.multi_asset_check(
        name=namespace.label("_".join((*suite.asset_key, "expectations"))),
        specs=[
            dg.AssetCheckSpec(
                suite.check_name(expectation),
                asset=asset,
                description=expectation.description,
                blocking=expectation.severity is Severity.CRITICAL,
                metadata={"expectation": expectation.type, "level": expectation.meta.level},
            )
            for expectation in suite.expectations
        ],
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext, warehouses: dg.ResourceParam[Warehouses]) -> Iterator[dg.AssetCheckResult]:
        selected = suite.only({key.name for key in context.selected_asset_check_keys})
        yield from _run(context, asset, selected, warehouses.of(namespace))

    return check


def _run(context: dg.AssetCheckExecutionContext, asset: dg.AssetKey, suite: Suite, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    op_context = context.op_execution_context
    try:
        validation = validate(warehouse.url, suite)
        record(warehouse.url, suite, validation, op_context.run_id)
    except psycopg2.OperationalError as error:
        raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**op_context.retry_number) from error
    page = write_page(warehouse.data_docs, suite, validation, op_context.run_id)
    for result in validation.results:
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=result.check_name,
            passed=result.is_success,
            severity=dg.AssetCheckSeverity.ERROR if result.severity is Severity.CRITICAL else dg.AssetCheckSeverity.WARN,
            description=result.error,
            metadata={**_metadata(result), "data_docs": dg.MetadataValue.path(page)},
        )


def _metadata(result: CheckResult) -> Mapping[str, Any]:
    metadata = {
        "failing_rows": result.failing_rows,
        "evaluated_rows": result.evaluated_rows,
        "error": result.error,
        "failing_sample": _table(result.failing_sample) if result.failing_sample else None,
        "failing_query": dg.MetadataValue.md(f"```sql\n{result.failing_query}\n```"),
    }
    return {name: value for name, value in metadata.items() if value is not None}


def _table(rows: tuple[dict[str, Any], ...]) -> dg.TableMetadataValue:
    schema = dg.TableSchema([dg.TableColumn(column) for column in rows[0]])
    records = [{column: "null" if value is None else str(value) for column, value in row.items()} for row in rows]
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records], schema)


@dg.definitions
def quality(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Checks for every suite."""
    # Read when metrics are checked; a fault in the file is told when the definitions load, as one in a suite is.
    load_metric_ranges()
    return dg.Definitions(asset_checks=[expectation_checks(suite, namespace_of(context)) for suite in load_suites().values()])
