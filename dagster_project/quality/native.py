"""Native Great Expectations: a suite run as it stands, by the library itself.

Belongs here: its context, its connection and its verdicts. Does not belong here: what runs on every sync (`validation`). The import takes
seconds, and most processes never need it.
"""

import os
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event, make_url

from dagster_project.postgres.roles import TRANSFORM
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.quality.suites import Suite

if TYPE_CHECKING:
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext

_AS_ROLE = f"-c role={TRANSFORM}"


@dataclass(frozen=True)
class NativeVerdict:
    """What Great Expectations says of one expectation.

    Attributes:
        is_success: Whether the data is as expected; False too when that could not be found out.
        failing_rows: Rows that break the expectation; None when that could not be found out.
        error: Why it could not be evaluated; None if it was.
    """

    is_success: bool
    failing_rows: int | None
    error: str | None


def native_verdicts(url: str, suite: Suite) -> dict[str, NativeVerdict]:
    """Verdicts by check. Great Expectations returns them in an order of its own, not in the suite's."""
    context = _context()
    from great_expectations import ExpectationSuite  # noqa: PLC0415
    from great_expectations.datasource.fluent.interfaces import GxDatasourceWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        # It recommends add_postgres, which refuses a Unix socket.
        warnings.simplefilter("ignore", GxDatasourceWarning)
        # A data source of its own per run: nothing that an earlier run knew about a table can be out of date, or be of another warehouse.
        source = context.data_sources.add_or_update_sql(name=str(uuid.uuid4()), connection_string=_connection_string(url))
    # It keeps two pools, and closes neither.
    engines = source.get_engine(), source.get_execution_engine().engine
    try:
        for engine in engines:
            _ask_for_columns_only(engine, suite.rows_query)
        batch = source.add_query_asset(name=suite.name, query=suite.rows_query).add_batch_definition_whole_table("rows").get_batch()
        verdicts = batch.validate(ExpectationSuite(**suite.model_dump(mode="json")), result_format="BASIC").results
        return {
            verdict.expectation_config.meta["check"]: _verdict(bool(verdict.success), verdict.result, verdict.exception_info or {})
            for verdict in verdicts
            if verdict.expectation_config
        }
    finally:
        for engine in engines:
            engine.dispose()
        context.data_sources.delete(source.name)


def _ask_for_columns_only(engine: Engine, rows: str) -> None:
    """Let nobody have all rows of a query sent: Great Expectations runs it to learn its columns, and the driver would hold every row."""

    def limited(_: object, __: object, statement: str, parameters: object, *___: object) -> tuple[str, object]:
        return f"{statement} limit 0" if statement == rows else statement, parameters

    event.listen(engine, "before_cursor_execute", limited, retval=True)


def _verdict(is_success: bool, result: Mapping[str, Any], exception_info: Mapping[str, Any]) -> NativeVerdict:
    error = _error(exception_info)
    # In an empty table Great Expectations counts None.
    failing = None if error else int(result.get("unexpected_count", result.get("observed_value")) or 0)
    return NativeVerdict(is_success, failing, error)


def _error(exception_info: Mapping[str, Any]) -> str | None:
    """The reason why a check could not be evaluated. It comes per metric, or alone if the expectation itself failed."""
    for info in (exception_info, *(value for value in exception_info.values() if isinstance(value, Mapping))):
        if info.get("raised_exception"):
            return str(info["exception_message"]).partition("\n")[0]
    return None


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
