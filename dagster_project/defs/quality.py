"""The suites as asset checks.

Belongs here: one step per system that checks its raw tables, one for all marts, and how a result looks in Dagster. Does not belong here:
what is expected (`expectations/`) and how it is found out (`quality/`). Checks stand in definitions of their own: specs on an asset would
make all other checks of an automated run vanish.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import psycopg2

from dagster_project.components.known import partitions_of, tenant_of
from dagster_project.components.telling import news
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality import accounting, holding, verdicts
from dagster_project.quality.data_docs import write_index, write_page
from dagster_project.quality.metric_ranges import load_metric_ranges
from dagster_project.quality.quarantine import bring_up_to_date
from dagster_project.quality.results import record
from dagster_project.quality.suites import Severity, Suite
from dagster_project.quality.validation import CheckResult, Validation, validations, warehouse_connection
from dagster_project.resources.defs_tree import namespace_of
from dagster_project.resources.share import share_of
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import Namespace, Warehouse

_MAX_RETRIES = 3

_ON_RAW = (accounting.CHECK, holding.CHECK)

# The check of each mart that the publication waits for, and so for all checks that are asked with it.
FIT = "is_fit_for_publication"


class CheckConfig(dg.Config):
    """How much is asked.

    Attributes:
        everything: Ask about all rows, instead of those whose verdicts may have changed since they were asked about.
    """

    everything: bool = False


def expectation_checks(suites: Sequence[Suite], namespace: Namespace) -> dg.AssetChecksDefinition:
    """The checks of the raw tables of a system, or of all marts; any of them can be run alone."""

    @dg.multi_asset_check(
        name=namespace.label(step_of(suites[0].system)),
        specs=[spec for suite in suites for spec in _specs(suite, namespace)],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, config: CheckConfig, warehouses: dg.ResourceParam[Warehouses]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from news(context, _run(context, suites, config, warehouses.of(namespace, tenant_of(context))))

    return check


def _specs(suite: Suite, namespace: Namespace) -> Iterator[dg.AssetCheckSpec]:
    """A mart that fails stands as it was. What raw tables fail is set aside, or holds back marts, which is then what can fail."""
    asset, is_raw = asset_of(suite, namespace), suite.system != PUBLISHED
    partitions = partitions_of(namespace)
    for expectation in suite.expectations:
        yield dg.AssetCheckSpec(
            expectation.meta.check,
            asset=asset,
            description=expectation.description,
            metadata={"expectation": expectation.type, "level": expectation.meta.level},
            partitions_def=partitions,
        )
    if not is_raw:
        # Its failure is a warning, and blocks nothing. What is blocking is waited for.
        yield dg.AssetCheckSpec(
            FIT,
            asset=asset,
            description="The mart passes its critical checks; one that does not stands as it was, with what needs it.",
            blocking=True,
            partitions_def=partitions,
        )
    else:
        yield dg.AssetCheckSpec(
            accounting.CHECK,
            asset=asset,
            description="A row that marts do not read is in quarantine, which says why, and no other row is.",
            blocking=True,
            partitions_def=partitions,
        )
        yield dg.AssetCheckSpec(
            holding.CHECK,
            asset=asset,
            description="No more of the table is wrong than single rows, which are set aside.",
            partitions_def=partitions,
        )


def step_of(system: str) -> str:
    """The step that checks the raw tables of a system, or the marts."""
    return f"{system}_expectations"


def asking_everything(namespace: Namespace) -> Mapping[str, Any]:
    """Configuration of the steps of a run whose checks ask about all rows."""
    systems = dict.fromkeys(suite.system for suite in share_of(namespace).suites.values())
    return {namespace.label(step_of(system)): {"config": {"everything": True}} for system in systems}


def asset_of(suite: Suite, namespace: Namespace) -> dg.AssetKey:
    """The asset that a suite is about, in a warehouse."""
    return dg.AssetKey(namespace.path(*suite.asset_key))


def _run(
    context: dg.AssetCheckExecutionContext, suites: Sequence[Suite], config: CheckConfig, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    op_context = context.op_execution_context
    selected = {suite.name: suite for suite in _selected(suites, context.selected_asset_check_keys, warehouse.namespace)}
    has_news = False
    try:
        with warehouse_connection(warehouse.url) as connection:
            for validation in _validations(warehouse, [*selected.values()], config):
                suite, page = selected[validation.suite], {}
                if validation.is_news:
                    has_news = True
                    record(connection, suite, validation, op_context.run_id)
                    page = {"data_docs": dg.MetadataValue.path(write_page(warehouse.data_docs, suite, validation, op_context.run_id))}
                yield from (_result(asset_of(suite, warehouse.namespace), result, page) for result in validation.results)
        if has_news:
            write_index(warehouse.data_docs)
        yield from _fit(context, suites, warehouse)
        yield from _set_aside(context, suites, warehouse)
    except psycopg2.OperationalError as error:
        raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=2**op_context.retry_number) from error


def _validations(warehouse: Warehouse, suites: Sequence[Suite], config: CheckConfig) -> Iterator[Validation]:
    return validations(warehouse.url, suites, share_of(warehouse.namespace).checked, everything=config.everything)


def _fit(context: dg.AssetCheckExecutionContext, suites: Sequence[Suite], warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Tell which marts are fit for publication, as their checks stand now."""
    asked = {key.asset_key for key in context.selected_asset_check_keys if key.name == FIT}
    wanted = [suite for suite in suites if asset_of(suite, warehouse.namespace) in asked]
    if not wanted:
        return
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        for suite in wanted:
            failing = verdicts.failing(cursor, suite)
            yield dg.AssetCheckResult(
                asset_key=asset_of(suite, warehouse.namespace),
                check_name=FIT,
                passed=not failing,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"the mart stands as it was: it fails {', '.join(failing)}" if failing else None,
            )


def _set_aside(context: dg.AssetCheckExecutionContext, suites: Sequence[Suite], warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """Set aside rows of raw tables, as their checks stand now, and tell what is kept from marts."""
    asked = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    wanted = [suite for suite in suites if {(asset_of(suite, warehouse.namespace), name) for name in _ON_RAW} & asked]
    if not wanted:
        return
    contract = share_of(warehouse.namespace).contracts[suites[0].system]
    bring_up_to_date(warehouse.url, contract, suites, context.op_execution_context.run_id)
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        found = list(accounting.accounts(cursor, contract, [suite.table for suite in wanted]))
    for account in found:
        asset = dg.AssetKey(warehouse.namespace.path(contract.system, account.table))
        yield from (result for result in _accounted(asset, account) if (asset, result.check_name) in asked)


def _accounted(asset: dg.AssetKey, account: accounting.Account) -> Iterator[dg.AssetCheckResult]:
    held = account.held
    yield dg.AssetCheckResult(
        asset_key=asset,
        check_name=accounting.CHECK,
        passed=account.unaccounted == 0,
        description=f"{account.unaccounted:,} rows are marked and have no entry, or the other way round" if account.unaccounted else None,
        metadata={accounting.ROWS_IN_QUARANTINE: account.in_quarantine, "of_these_hanging_on_others": account.hanging},
    )
    yield dg.AssetCheckResult(
        asset_key=asset,
        check_name=holding.CHECK,
        passed=held is None,
        description=f"marts that read the table stand as they were: {held.reason}" if held else None,
        metadata={"held_since": f"{held.since:%Y-%m-%d %H:%M:%S} UTC"} if held else {},
    )


def _selected(suites: Sequence[Suite], checks: Collection[dg.AssetCheckKey], namespace: Namespace) -> Iterator[Suite]:
    """The suites with those of their checks that are to run."""
    for suite in suites:
        kept = suite.only({key.name for key in checks if key.asset_key == asset_of(suite, namespace)})
        if kept.expectations:
            yield kept


def _result(asset: dg.AssetKey, result: CheckResult, page: Mapping[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=result.check_name,
        passed=result.is_success,
        severity=dg.AssetCheckSeverity.ERROR if result.severity is Severity.CRITICAL else dg.AssetCheckSeverity.WARN,
        description=result.error,
        metadata={**_metadata(result), **page},
    )


def _metadata(result: CheckResult) -> Mapping[str, Any]:
    metadata = {
        "failing_rows": result.failing_rows,
        # A number would be drawn as a plot.
        "batch": None if result.batch_id is None else str(result.batch_id),
        "evaluated_rows": result.evaluated_rows,
        "error": result.error,
        "failing_sample": table_of(result.failing_sample) if result.failing_sample else None,
        "failing_query": dg.MetadataValue.md(f"```sql\n{result.failing_query}\n```"),
    }
    return {name: value for name, value in metadata.items() if value is not None}


def table_of(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows that fail a check, as the UI shows them."""
    schema = dg.TableSchema([dg.TableColumn(column) for column in rows[0]])
    records = [{column: "null" if value is None else str(value) for column, value in row.items()} for row in rows]
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records], schema)


@dg.definitions
def quality(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Checks for every suite."""
    # Read when metrics are checked; a fault in the file is told when the definitions load, as one in a suite is.
    load_metric_ranges()
    by_system: defaultdict[str, list[Suite]] = defaultdict(list)
    namespace = namespace_of(context)
    for suite in share_of(namespace).suites.values():
        by_system[suite.system].append(suite)
    return dg.Definitions(asset_checks=[expectation_checks(suites, namespace) for suites in by_system.values()])
