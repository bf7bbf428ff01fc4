"""Corruptions that a reader would think of first, each with every check that it fails, of raw tables and marts of forecast_tracking.

Belongs here: the list. Does not belong here: corruptions of single checks (`corruptions`), and running these.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.scaffold.names import parent_check
from tests.integration.quality.conftest import CONTRACT
from tests.integration.quality.corruptions import SUITES, update_of_one_row

RAW = CONTRACT.raw_schema

# By table or mart.
HEADLINED = {suite.table: suite for suite in SUITES.values() if suite.system in (CONTRACT.system, PUBLISHED)}


def _tables_with(check: str) -> list[str]:
    """Raw tables and marts whose suite has a check of this name."""
    return [table for table, suite in HEADLINED.items() if check in {expectation.meta.check for expectation in suite.expectations}]


def _update(table: str, assignments: str, row: str = "true") -> str:
    return update_of_one_row(HEADLINED[table], assignments, row)


def _value(metric: str, value: float) -> str:
    return _update("metrics", f"metric_name = '{metric}', metric_value = {value}")


@dataclass(frozen=True)
class Headline:
    """A corruption with every check that it fails.

    Attributes:
        what: What is done.
        statement: The change.
        fails: `<table>__<check>` of each check that fails, and of no other.
    """

    what: str
    statement: str
    fails: frozenset[str]

    @property
    def tables(self) -> set[str]:
        """The tables that are changed or checked."""
        return {check.partition("__")[0] for check in self.fails} | set(re.findall(rf"{RAW}\.(\w+)", self.statement))


def _headline(what: str, statement: str, *fails: str) -> Headline:
    return Headline(what, statement, frozenset(fails))


def _orphans() -> Iterator[Headline]:
    """A row of each foreign key that refers to nothing; one that belongs to no run does not belong to that of its model either."""
    for child, table in CONTRACT.tables.items():
        for reference in table.references:
            columns = ", ".join(reference.columns)
            is_of_model = reference.columns == ("run_id",) and child in _tables_with("model_belongs_to_run")
            yield _headline(
                f"{child}: an orphan by {columns}",
                _update(child, ", ".join(f"{column} = 999999" for column in reference.columns), f"({columns}) is not null"),
                f"{child}__{parent_check(reference.columns)}",
                *([f"{child}__model_belongs_to_run"] if is_of_model else []),
            )


HEADLINES = [
    *_orphans(),
    _headline(
        "metrics: the parent is a tombstone",
        f"update {RAW}.models set _deleted_at = now() where model_id = 2",
        *("metrics__model_id_has_parent", "predictions__model_id_has_parent", "model_registry__model_id_has_parent"),
        "models__row_count_equals_source",
    ),
    _headline("metrics: NaN", _update("metrics", "metric_value = 'NaN'", "metric_name = 'log_likelihood'"), "metrics__values_are_finite"),
    _headline("metrics: infinity", _update("metrics", "metric_value = 'Infinity'", "metric_name = 'bias'"), "metrics__values_are_finite"),
    _headline(
        "metrics: minus infinity", _update("metrics", "metric_value = '-Infinity'", "metric_name = 'bias'"), "metrics__values_are_finite"
    ),
    *(
        _headline(
            f"metrics: {name} = {value}",
            _value(name, value),
            f"metrics__values_are_{kind}",
        )
        for name, value, kind in (
            ("mae", -1, "possible"),
            ("accuracy", -1, "possible"),
            ("coverage", 101, "possible"),
            ("r2", 101, "possible"),
            ("accuracy", 93.5, "within_convention"),
            ("coverage_90", 90, "within_convention"),
            ("nrmse", -0.2, "within_convention"),
            ("smape", 250, "within_convention"),
        )
    ),
    _headline("metrics: the model of another run", _update("metrics", "run_id = 2", "model_id = 1"), "metrics__model_belongs_to_run"),
    _headline(
        "runs: a start in the future", _update("runs", "start_time = '2999-01-01'", "run_id = 3"), "runs__times_are_not_in_the_future"
    ),
    _headline(
        "runs: seconds that are minutes",
        _update("runs", "execution_duration_seconds = 5", "run_id = 1"),
        "runs__duration_is_from_start_to_end",
    ),
    _headline("runs: a circle", _update("runs", "parent_run_id = 2", "run_id = 1"), "runs__parents_form_no_circle"),
    _headline(
        "predictions: two actuals of one time",
        _update("predictions", "actual_value = 11.5", "prediction_id = 4"),
        "predictions__actuals_agree_over_models",
    ),
    _headline(
        "predictions: a step miscounted",
        _update("predictions", "horizon = 3", "prediction_id = 6"),
        "predictions__horizon_equals_its_place",
    ),
    _headline("metrics: an unknown split", _update("metrics", "dataset_type = 'holdout'"), "metrics__dataset_type_is_known"),
    _headline("metrics: a negative step", _update("metrics", "metric_step = -1"), "metrics__metric_step_is_not_negative"),
    _headline("runs: a duplicate key", _update("runs", "run_id = 2", "run_id = 3"), "runs__key_is_unique"),
    _headline(
        "predictions: a duplicate composite key",
        _update("predictions", "prediction_id = 1", "prediction_id = 2"),
        "predictions__key_is_unique",
    ),
    _headline("runs: an unknown status", _update("runs", "status = 'paused'"), "runs__status_is_known"),
    _headline("runs: reversed times", _update("runs", "end_time = '2025-01-02 09:59'"), "runs__end_time_is_not_before_start_time"),
    _headline(
        "runs: a negative duration", _update("runs", "execution_duration_seconds = -1"), "runs__execution_duration_seconds_is_not_negative"
    ),
    _headline("runs: a duration that is no number", _update("runs", "execution_duration_seconds = 'NaN'"), "runs__values_are_finite"),
    _headline(
        "predictions: crossed bounds",
        _update("predictions", "lower_bound = 12, upper_bound = 8"),
        *("predictions__lower_bound_is_not_above_upper_bound", "predictions__predicted_value_is_within_bounds"),
    ),
    _headline(
        "predictions: beyond its interval", _update("predictions", "predicted_value = 13"), "predictions__predicted_value_is_within_bounds"
    ),
    _headline("predictions: half an interval", _update("predictions", "upper_bound = null"), "predictions__intervals_are_complete"),
    _headline("predictions: a level of 1", _update("predictions", "confidence_level = 1"), "predictions__confidence_level_is_a_level"),
    _headline("predictions: horizon 0", _update("predictions", "horizon = 0"), "predictions__horizon_is_positive"),
    _headline("predictions: an infinite actual", _update("predictions", "actual_value = 'Infinity'"), "predictions__values_are_finite"),
    _headline("runs: null in a required column", _update("runs", "run_name = null"), "runs__required_values_are_present"),
    _headline(
        "metrics: a stale source",
        "update ops.table_syncs set synced_at = now() - interval '25 hours' where table_name = 'metrics'",
        *("metrics__synced_within_2_hours", "metrics__synced_within_24_hours"),
    ),
    _headline(
        "metrics: a late source",
        "update ops.table_syncs set synced_at = now() - interval '3 hours' where table_name = 'metrics'",
        "metrics__synced_within_2_hours",
    ),
    _headline(
        "tags: truncated in the warehouse",
        f"truncate {RAW}.tags",
        "tags__row_count_equals_source",
    ),
    _headline(
        "tags: truncated at the source",
        f"update {RAW}.tags set _deleted_at = now(); update ops.table_syncs set source_rows = 0 where table_name = 'tags' and batch_id > 0",
        "tags__row_count_did_not_collapse",
    ),
    _headline(
        "tags: a row that the source does not have",
        f"insert into {RAW}.tags (tag_id, tag_name, created_at, updated_at, _batch_id, _synced_at) "
        "values (99, 'extra', '2025-01-01', '2025-01-01', 1, now())",
        "tags__row_count_equals_source",
    ),
    _headline(
        "tags: a dropped column",
        f"alter table {RAW}.tags drop column usage_count",
        *("tags__columns_are_as_declared", "tags__usage_count_is_not_negative"),
    ),
    _headline(
        "tags: a column of the wrong type", f"alter table {RAW}.tags alter column tag_name type text", "tags__columns_are_as_declared"
    ),
    _headline("tags: a column too many", f"alter table {RAW}.tags add column secret text", "tags__columns_are_as_declared"),
    _headline(
        "model_performance: a negative mae",
        _update("model_performance", "test_mae_best = -1"),
        "model_performance__errors_are_not_negative",
    ),
    _headline("model_performance: NaN", _update("model_performance", "test_mae = 'NaN'"), "model_performance__values_are_finite"),
    _headline(
        "forecast_accuracy: a coverage of 1.2",
        _update("forecast_accuracy", "interval_coverage = 1.2"),
        "forecast_accuracy__interval_coverage_is_a_fraction",
    ),
    _headline(
        "experiment_summary: a success rate of 1.5",
        _update("experiment_summary", "success_rate = 1.5"),
        "experiment_summary__success_rate_is_a_fraction",
    ),
    _headline(
        "fct_runs: a row of a later refresh",
        _update("fct_runs", "refreshed_at = refreshed_at + interval '1 hour'"),
        "fct_runs__rows_are_of_no_later_refresh",
    ),
    _headline(
        "mv_model_performance: no row",
        "delete from analytics_next.mv_model_performance",
        "mv_model_performance__every_evaluated_model_is_there",
    ),
]
