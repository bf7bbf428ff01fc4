"""Every way in which the tests corrupt raw tables and marts, and the check that must see it.

Belongs here: one corruption or more for every expectation of every suite (a contract test counts them), and the list of headline
corruptions with every check that they fail. Does not belong here: running them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from dagster_project.contracts.loading import load_contracts
from dagster_project.postgres.schemas import CANDIDATES
from dagster_project.quality.metric_ranges import load_metric_ranges
from dagster_project.quality.suites import Expectation, Suite, load_suites
from dagster_project.scaffold.names import parent_check
from tests.integration.quality.rows_of_marts import rows_of_marts

CONTRACT = load_contracts()["forecast_tracking"]
RAW = CONTRACT.raw_schema
_CHECKS = [(suite.table, expectation.meta.check) for suite in load_suites().values() for expectation in suite.expectations]


@dataclass(frozen=True)
class Corruption:
    """One change of the clean warehouse.

    Attributes:
        check: `<table>__<check>` that must fail.
        what: What is done to the table.
        statement: The change.
    """

    check: str
    what: str
    statement: str

    @property
    def table(self) -> str:
        """The raw table or mart that the check is about."""
        return self.check.partition("__")[0]


def qualified(table: str) -> str:
    """A raw table or the candidate of a mart, with its schema."""
    return f"{RAW if table in CONTRACT.tables else CANDIDATES}.{table}"


def _tables_with(check: str) -> list[str]:
    """Raw tables and marts whose suite has a check of this name."""
    return [table for table, name in _CHECKS if name == check]


def _update(table: str, assignments: str, row: str = "true") -> str:
    return f"update {qualified(table)} set {assignments} where ctid = (select min(ctid) from {qualified(table)} where {row})"


def _set(check: str, assignments: str, row: str = "true") -> Corruption:
    return Corruption(check, f"set {assignments} where {row}", _update(check.partition("__")[0], assignments, row))


def _value(kind: str, metric: str, value: float) -> Corruption:
    return _set(f"metrics__values_are_{kind}", f"metric_name = '{metric}', metric_value = {value}")


def _beyond_ranges() -> Iterator[Corruption]:
    """A value below and one above each range that is declared; where nothing is possible there, only for what is possible."""
    for entry in load_metric_ranges():
        possible = entry.possible or entry.expected
        yield from (_value("possible", entry.metric, value) for value in (possible[0] - 0.001, possible[1] + 0.001) if isfinite(value))
        odd = (entry.expected[0] - 0.001, entry.expected[1] + 0.001)
        yield from (
            _value("within_convention", entry.metric, value) for value in odd if isfinite(value) and possible[0] <= value <= possible[1]
        )


# Expectations written as SQL of their own: a corruption each, by hand. Those of single marts stand in `marts/`.
_BY_HAND = [
    _set("runs__parents_form_no_circle", "parent_run_id = run_id"),
    _set("runs__parents_form_no_circle", "parent_run_id = 2", "run_id = 1"),
    Corruption(
        "runs__parents_form_no_circle",
        "a circle of three",
        f"update {RAW}.runs set parent_run_id = 4 where run_id = 1; update {RAW}.runs set parent_run_id = 2 where run_id = 4",
    ),
    _set("runs__times_are_not_in_the_future", "start_time = _synced_at at time zone 'UTC' + interval '6 minutes'", "status = 'running'"),
    _set("runs__times_are_not_in_the_future", "end_time = '2999-01-01'", "status = 'failed'"),
    _set("runs__duration_is_from_start_to_end", "execution_duration_seconds = 5", "run_id = 1"),
    _set("runs__duration_is_from_start_to_end", "execution_duration_seconds = 300000", "run_id = 1"),
    _set("runs__duration_is_from_start_to_end", "end_time = end_time + interval '9 hours'", "run_id = 1"),
    _set("runs__finished_runs_have_an_end", "end_time = null", "status = 'completed' and end_time >= start_time"),
    _set("runs__finished_runs_have_an_end", "end_time = null", "status = 'failed'"),
    _set("runs__finished_runs_have_an_end", "end_time = null", "status = 'killed'"),
    _set("runs__fingerprint_is_unique_in_experiment", "run_fingerprint = repeat('b', 64)", "run_id = 3"),
    _set("datasets__parents_form_no_circle", "parent_dataset_id = dataset_id"),
    _set("datasets__parents_form_no_circle", "parent_dataset_id = 2", "dataset_id = 1"),
    _set("dataset_features__statistics_are_ordered", "min_value = 2, max_value = 1, mean_value = null, median_value = null"),
    _set("dataset_features__statistics_are_ordered", "median_value = 0.5"),
    _set("dataset_features__statistics_are_ordered", "median_value = 9.5"),
    _set("dataset_features__statistics_are_ordered", "mean_value = 0.99"),
    _set("dataset_features__statistics_are_ordered", "mean_value = 9.01"),
    *(_value("possible", name, value) for name, value in (("MAE", -1), ("winkler_90", -1), ("pinball_0.1", -0.5), ("coverage_90", 101))),
    *(
        _value("within_convention", name, value)
        for name, value in (("accuracy", 93.5), ("Coverage-90", 90), ("nrmse", -0.2), ("sMAPE", 250))
    ),
    *_beyond_ranges(),
    *(
        _set(f"{table}__metric_name_has_no_blank_ends", f"metric_name = {name}")
        for table in _tables_with("metric_name_has_no_blank_ends")
        for name in ("''", "' mae'", "'mae '", r"E'mae\t'", r"E'mae\u00a0'")
    ),
    *(_set(f"{table}__model_belongs_to_run", "run_id = 3", "model_id is not null") for table in _tables_with("model_belongs_to_run")),
    _set("metric_summaries__statistics_are_ordered", "min_value = 2.5"),
    _set("metric_summaries__statistics_are_ordered", "q1_value = 3.5"),
    _set("metric_summaries__statistics_are_ordered", "median_value = 4.5"),
    _set("metric_summaries__statistics_are_ordered", "max_value = 3.5"),
    _set("metric_summaries__statistics_are_ordered", "min_value = 6, q1_value = null, median_value = null, q3_value = null"),
    _set("metric_summaries__metric_is_unique_in_run_model_and_split", "model_id = 1, dataset_type = 'validation'", "summary_id = 2"),
    _set("metric_summaries__metric_is_unique_in_run_model_and_split", "model_id = null, dataset_type = 'test'", "summary_id = 1"),
    _set("hyperparameters__param_value_fits_its_type", "param_value = '12.5'", "param_type = 'integer'"),
    _set("hyperparameters__param_value_fits_its_type", "param_value = 'about 1'", "param_type = 'float'"),
    _set("hyperparameters__param_value_fits_its_type", "param_value = 'maybe'", "param_type = 'boolean'"),
    _set("predictions__target_is_after_cutoff", """metadata = '{"cutoff": "2025-04-01T00:00:00"}'"""),
    _set("predictions__target_is_after_cutoff", """prediction_date = '2025-02-01', metadata = '{"cutoff": "2025-01-31 22:00:00-05:00"}'"""),
    _set("predictions__later_targets_have_larger_horizons", "horizon = 2", "prediction_id = 1"),
    _set("predictions__later_targets_have_larger_horizons", "horizon = 1", "prediction_id = 6"),
    _set("predictions__later_targets_have_larger_horizons", "horizon = 4", "prediction_id = 5"),
    _set("predictions__horizon_equals_its_place", "horizon = 3", "prediction_id = 6"),
    Corruption("predictions__horizon_equals_its_place", "a step left out", f"delete from {RAW}.predictions where prediction_id = 5"),
    _set("predictions__actuals_agree_over_models", "actual_value = 12", "prediction_id = 4"),
    _set("predictions__lower_bound_is_not_above_upper_bound", "lower_bound = 12, upper_bound = 8"),
    _set("predictions__predicted_value_is_within_bounds", "predicted_value = 12.5", "lower_bound = 8"),
    _set("predictions__predicted_value_is_within_bounds", "predicted_value = 7.5", "lower_bound = 8"),
    _set("predictions__intervals_are_complete", "upper_bound = null", "upper_bound = 12"),
    _set("predictions__intervals_are_complete", "confidence_level = null", "upper_bound = 12"),
    *(_set(f"{mart}__scores_cover_the_width", "interval_width = 2, winkler_score = 1") for mart in _tables_with("scores_cover_the_width")),
    *(
        Corruption(
            f"{history}__versions_do_not_overlap",
            f"a second version before the first has {ended}",
            f"insert into analytics_next.{history} select * from analytics_next.{history}; "
            f"update analytics_next.{history} set valid_from = valid_from - interval '1 day', valid_to = {valid_to} "
            f"where ctid = (select min(ctid) from analytics_next.{history})",
        )
        for history in _tables_with("versions_do_not_overlap")
        for ended, valid_to in (("ended", "valid_from + interval '1 hour'"), ("an end", "null"))
    ),
]


def _of_marts() -> Iterator[Corruption]:
    """Those that are told of single marts."""
    for mart, rows in ((mart, rows) for marts in rows_of_marts().values() for mart, rows in marts.items()):
        for check, broken_by in rows.corruptions.items():
            for what in broken_by:
                statement = f"update {qualified(mart)} set {what}" if " where " in what else _update(mart, what)
                yield Corruption(f"{mart}__{check}", f"set {what}", statement)


_OF_MARTS = [*_of_marts()]


def corruptions(suite: Suite) -> Iterator[Corruption]:
    """Corruptions for every expectation of a suite, alone or several each."""
    for expectation in suite.expectations:
        check = f"{suite.table}__{expectation.meta.check}"
        yield from (corruption for corruption in (*_BY_HAND, *_OF_MARTS) if corruption.check == check)
        yield from (Corruption(check, what, statement) for what, statement in _by_rule(suite, expectation))


def _by_rule(suite: Suite, expectation: Expectation) -> Iterator[tuple[str, str]]:
    for assignments in _bad_values(expectation):
        yield f"set {assignments}", _update(suite.table, assignments)
    relation = qualified(suite.table)
    syncs = f"system = 'forecast_tracking' and table_name = '{suite.table}'"
    newest = f"{syncs} and batch_id = (select max(batch_id) from ops.table_syncs where {syncs})"
    check = expectation.meta.check
    if "unique" in expectation.type:
        yield "every row twice", f"insert into {relation} select * from {relation}"
    elif check == "columns_are_as_declared":
        yield "an extra column", f"alter table {relation} add column surprise text"
        yield "a column renamed", f"alter table {relation} rename column {suite.meta.key[0]} to renamed"
        yield "a column of another type", f"alter table {relation} alter column {suite.meta.key[0]} type numeric"
    elif check == "row_count_equals_source":
        yield "rows lost", f"update ops.table_syncs set source_rows = source_rows + 100 where {newest}"
        tombstone = f"update {relation} set _deleted_at = now() where ctid = (select min(ctid) from {relation})"
        yield "a row taken for deleted", tombstone
    elif check == "row_count_did_not_collapse":
        yield (
            "fewer than half of the rows left",
            f"update ops.table_syncs set source_rows = source_rows * 2 + 201 where {syncs} and not ({newest})",
        )
        yield "no row left", f"update ops.table_syncs set source_rows = 0 where {newest}"
    elif re.fullmatch(r"every_\w+_is_(there|counted)", check):
        yield "a row lost", f"delete from {relation} where ctid = (select min(ctid) from {relation})"
        yield "no row left", f"delete from {relation}"
    elif check == "rows_are_of_no_later_refresh":
        yield "a row of a later batch", _update(suite.table, "source_batch_id = source_batch_id + 1")
        yield "a row of a later refresh", _update(suite.table, "refreshed_at = refreshed_at + interval '1 hour'")
    elif check == "refreshed_within_24_hours":
        yield (
            "an old batch that is not reflected",
            "insert into ops.batches (batch_id, system, capture, snapshot, started_at, committed_at) overriding system value "
            "select 1000000, system, capture, snapshot, started_at, now() - interval '24 hours 1 second' from ops.batches limit 1",
        )
    elif check.startswith("synced_within_"):
        hours = int(re.sub(r"\D", "", check))
        yield "a stale source", f"update ops.table_syncs set synced_at = now() - interval '{hours} hours 1 second' where {syncs}"
        yield "never synced", f"delete from ops.table_syncs where {syncs}"


def _bad_values(expectation: Expectation) -> Iterator[str]:
    kwargs, query = expectation.kwargs, expectation.kwargs.get("unexpected_rows_query", "")
    if expectation.type == "expect_column_values_to_be_in_set":
        yield f"{kwargs['column']} = 'nonsense'"
    elif expectation.type == "expect_column_values_to_be_between":
        beyond = 0 if kwargs.get("strict_min") else 1
        limits = [kwargs[limit] + step for limit, step in (("min_value", -beyond), ("max_value", beyond)) if limit in kwargs]
        yield from (f"{kwargs['column']} = {value}" for value in limits)
    elif expectation.type == "expect_column_pair_values_a_to_be_greater_than_b":
        yield f"{kwargs['column_A']} = '2025-01-01 11:59:59', {kwargs['column_B']} = '2025-01-01 12:00:00'"
    elif expectation.meta.check.endswith("_not_negative"):
        yield from (f"{column} = -1" for column in re.findall(r"(\w+) < 0", query))
    elif expectation.meta.check.endswith("_has_parent"):
        yield f"{expectation.meta.check.removesuffix('_has_parent')} = -1"
    elif expectation.meta.check == "required_values_are_present":
        yield from (f"{column} = null" for column in re.findall(r"(\w+) is null", query))
    elif expectation.meta.check == "values_are_finite":
        yield from (f"{column} = 'NaN'" for column in re.findall(r"cast\((\w+) as double precision\) in", query))


@dataclass(frozen=True)
class Headline:
    """A corruption that a reader would think of first, with every check that it fails: those named, and no other."""

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
        _headline(f"metrics: {name} = {value}", _value(kind, name, value).statement, f"metrics__values_are_{kind}")
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
