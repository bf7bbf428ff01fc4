"""Bringing a backtest of one's own: a forecast frame in Nixtla's cross-validation shape, from a file to the source database.

Belongs here: reading such a file as a whole, and tracking it. Does not belong here: formats (`backtest_files`), columns
(`backtest_columns`), values (`backtest_rows`), how prediction rows are stored (`tracking`) and scored (`accuracy`).

The file has the columns `unique_id`, `ds`, `cutoff`, optionally `y`, and those of its models; columns stand in any order. The in-sample
scale of MASE and RMSSE comes from a history, a second file with `unique_id`, `ds` and `y`, or from the actual values of earlier cutoffs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from dagster_project.demo import accuracy, tracking
from dagster_project.demo.backtest_columns import ColumnPlan, plan_columns
from dagster_project.demo.backtest_files import ACTUAL, KEYS, BacktestFileError, named, read_table
from dagster_project.demo.backtest_rows import (
    NOT_FINITE,
    LeftOut,
    PredictionRows,
    Times,
    actual_values,
    holds_numbers,
    prediction_rows,
    read_times,
    series_names,
)
from dagster_project.demo.in_sample_scale import Scales, scales
from dagster_project.demo.tracking import Stopwatch, StoredFile
from dagster_project.resources.databases import engine
from migrations.forecast_tracking.models import Experiment, Model, Run

_LONGEST_NAME = 255
_KINDS = {
    "date": "dates",
    "integer": "integers",
    "zoned day": "days with a zone",
    "zoned time": "times with a zone",
}
_FRAMEWORK = re.compile(r"[a-z0-9][a-z0-9_.-]{0,49}")


@dataclass(frozen=True)
class Choices:
    """What a user says of a file beyond what it holds.

    Attributes:
        models: The models to import, as in `A,B`; None for all that are certain.
        history: A file with `unique_id`, `ds`, `y`: the observations up to each cutoff.
        season_length: Observations per season; None takes it from the times.
    """

    models: str | None = None
    history: Path | None = None
    season_length: int | None = None


@dataclass(frozen=True)
class Backtest:
    """The content of a file, and what it was taken for.

    Attributes:
        file: The file as it is on disk.
        columns: What each column is taken for.
        has_actual: Whether it has actual values.
        models: Prediction rows by model, in the order of the file's columns.
        left_out: What is skipped or not scored, by reason.
        scales: The in-sample scales.
        rows: Rows of the file.
        notes: How format and times were understood, where that needs saying.
        history: The file of observations, if one was given.
        season_length: The season length, if one was given.
    """

    file: StoredFile
    columns: ColumnPlan
    has_actual: bool
    models: Mapping[str, pd.DataFrame]
    left_out: LeftOut
    scales: Scales
    rows: int
    notes: tuple[str, ...] = ()
    history: StoredFile | None = None
    season_length: int | None = None

    @property
    def skipped(self) -> int:
        """Forecasts that are left out because they are not finite numbers."""
        return self.left_out.counts.get(NOT_FINITE, 0)

    @property
    def choices(self) -> dict[str, Any]:
        """What decides, beside the file, what is written."""
        return {
            "models": sorted(self.models),
            "history_sha256": self.history.sha256 if self.history else None,
            "season_length": self.season_length,
        }


@dataclass(frozen=True)
class ImportSummary:
    """What `track_backtest` did.

    Attributes:
        run_id: The run that the file is tracked as.
        models: Names of its models.
        predictions: Prediction rows written now; 0 when the file was tracked before.
        skipped: Forecasts that were left out because they are not finite numbers.
        is_new: Whether the file was not tracked before.
    """

    run_id: int
    models: tuple[str, ...]
    predictions: int
    skipped: int
    is_new: bool


@dataclass(frozen=True)
class _Tracked:
    """What of an import is the same for all of its models."""

    session: Session
    experiment: Experiment
    run: Run
    framework: str = field(default="unknown")


def read_backtest(file: Path, choices: Choices | None = None) -> Backtest:
    """Read a file into prediction rows; nothing is written.

    Raises:
        BacktestFileError: A file cannot be read or is not in the expected shape.
        UndecidedColumnsError: Columns may be models or not, and the choices do not say.
    """
    choices = choices or Choices()
    left_out = LeftOut()
    with named(file):
        table = read_table(file, KEYS)
        plan = plan_columns(list(table.frame.columns), lambda name: holds_numbers(table.frame[name]), choices.models)
        read = prediction_rows(table.frame, plan.models, left_out)
        stored = StoredFile.of(file.resolve())
    known = _scales(read, choices)
    return Backtest(
        file=stored,
        columns=plan,
        has_actual=ACTUAL in table.frame,
        models={model: _with_scales(rows, known.frame) for model, rows in read.models.items()},
        left_out=left_out,
        scales=known,
        rows=len(table.frame),
        notes=(*table.notes, *_time_notes(read.times)),
        history=StoredFile.of(choices.history.resolve()) if choices.history else None,
        season_length=choices.season_length,
    )


def track_backtest(source_url: str, backtest: Backtest, experiment_name: str, framework: str = "unknown") -> ImportSummary:
    """Track a backtest as a run of an experiment, in one transaction; a file that is tracked already is left alone.

    Args:
        source_url: libpq URL of a migrated forecast tracking database.
        backtest: What was read.
        experiment_name: The experiment, created if there is none of this name.
        framework: Library that made the forecasts, such as `statsforecast`.

    Raises:
        BacktestFileError: A name cannot be stored, or the file is tracked with other choices.
    """
    watch = Stopwatch()
    _check_experiment(experiment_name, backtest, framework)
    fingerprint = tracking.fingerprint({"experiment": experiment_name, "file_sha256": backtest.file.sha256})
    database = engine(source_url)
    names = tuple(backtest.models)
    try:
        _create_partitions(database, backtest)
        with Session(database) as session, session.begin():
            experiment = _ensure_experiment(session, experiment_name)
            before = tracking.tracked_run(session, experiment, fingerprint)
            if before is not None:
                _check_same(before, backtest)
                return ImportSummary(before.run_id, names, 0, backtest.skipped, is_new=False)
            # The times are those of the import: when and for how long the forecasts were made is not in the file.
            run = tracking.new_run(
                session,
                experiment,
                fingerprint,
                watch.started_at,
                watch.seconds,
                run_name=f"import of {backtest.file.path.name}"[:_LONGEST_NAME],
                status="completed",
                source_type="cli",
                source_name=__name__,
                metadata_={
                    "file": backtest.file.path.name,
                    "file_sha256": backtest.file.sha256,
                    "skipped_forecasts": backtest.skipped,
                    "choices": backtest.choices,
                },
            )
            _track_models(_Tracked(session, experiment, run, framework), backtest)
            run_id = run.run_id
    finally:
        database.dispose()
    return ImportSummary(run_id, names, sum(map(len, backtest.models.values())), backtest.skipped, is_new=True)


def _scales(read: PredictionRows, choices: Choices) -> Scales:
    cutoffs = read.points[["unique_id", "cutoff"]].drop_duplicates(ignore_index=True)
    if choices.history is None:
        sample = read.points.loc[read.points["actual"].notna(), ["unique_id", "ds", "actual"]].rename(columns={"actual": "y"})
        sample = sample.drop_duplicates(["unique_id", "ds"])
    else:
        with named(choices.history):
            sample = _history(choices.history, read.times)
    is_dated = read.times.integers is None
    return scales(cutoffs, sample, choices.season_length, is_history=choices.history is not None, is_dated=is_dated)


def _history(file: Path, times: Times) -> pd.DataFrame:
    """The observations of a file with `unique_id`, `ds` and `y`."""
    frame = read_table(file, ("unique_id", "ds", ACTUAL)).frame
    observed = read_times([frame["ds"]])
    if observed.kind != times.kind:
        raise BacktestFileError(
            f"its ds are given as {_KINDS[observed.kind]}, those of the forecasts as {_KINDS[times.kind]}; give both in the same way"
        )
    sample = pd.DataFrame({"unique_id": series_names(frame), "ds": observed.values, "y": actual_values(frame)})
    repeated = sample.duplicated(["unique_id", "ds"])
    if repeated.any():
        first = frame[repeated].iloc[0]
        raise BacktestFileError(f"unique_id {first['unique_id']}, ds {first['ds']} occurs more than once; keep one row of each")
    return sample


def _with_scales(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    return rows.merge(known, on=["unique_id", "cutoff"], how="left")


def _time_notes(times: Times) -> tuple[str, ...]:
    first, last = times.values.min(), times.values.max()
    if times.integers is not None:
        return (
            f"ds and cutoff are integers, stored as days since 1970-01-01: {times.integers.min()} is {first:%Y-%m-%d}, "
            f"{times.integers.max()} is {last:%Y-%m-%d}",
        )
    if times.kind == "zoned day":
        return ("ds and cutoff are days with a zone; the zone is dropped, the calendar day stays",)
    if times.kind == "zoned time":
        return (f"ds and cutoff are times with a zone; they are stored in UTC, from {first} to {last}",)
    return ()


def _check_experiment(name: str, backtest: Backtest, framework: str) -> None:
    if not _FRAMEWORK.fullmatch(framework):
        raise BacktestFileError(f"the framework {framework!r} is no name of a library; use lower case letters, digits, '.', '_' and '-'")
    if not name.strip() or name != name.strip() or "\0" in name:
        raise BacktestFileError(f"the experiment {name!r} is no name; give one without blanks at its ends")
    longest = max(backtest.models, key=len)
    if len(_model_name(name, longest)) > _LONGEST_NAME:
        raise BacktestFileError(
            f"the name of a model, {_model_name(name, longest)!r}, is longer than {_LONGEST_NAME} characters; give a shorter --experiment"
        )


def _model_name(experiment: str, model: str) -> str:
    return f"{experiment} {model}"


def _check_same(before: Run, backtest: Backtest) -> None:
    """The choices of the first import of a file hold; an import of an earlier version kept none."""
    choices = (before.metadata_ or {}).get("choices")
    if choices is None or choices == backtest.choices:
        return
    differing = ", ".join(name.removesuffix("_sha256") for name, value in backtest.choices.items() if choices.get(name) != value)
    raise BacktestFileError(
        f"the experiment has {backtest.file.path.name} already, as run {before.run_id} with another choice of {differing}; "
        "import it to another --experiment, or delete that run first"
    )


def _create_partitions(database: Engine, backtest: Backtest) -> None:
    dates = {pd.Timestamp(date) for rows in backtest.models.values() for date in rows["ds"].unique()}
    tracking.create_partitions(database, dates)


def _ensure_experiment(session: Session, name: str) -> Experiment:
    living = select(Experiment).where(Experiment.experiment_name == name, Experiment.deleted_at.is_(None))
    experiment = session.scalar(living.order_by(Experiment.experiment_id).limit(1))
    if experiment is None:
        experiment = Experiment(experiment_name=name, experiment_type="testing")
        session.add(experiment)
        session.flush()
    return experiment


def _track_models(tracked: _Tracked, backtest: Backtest) -> None:
    session, run, file = tracked.session, tracked.run, backtest.file
    tracking.add_artifact(session, run, file, kind="prediction", relative_to=file.path.parent, description="The imported file.")
    for name, rows in backtest.models.items():
        model = Model(
            model_uuid=tracking.stable_uuid("model", run.run_uuid, name),
            run_id=run.run_id,
            model_name=_model_name(tracked.experiment.experiment_name, name),
            model_type=name,
            framework=tracked.framework,
            model_config={"column": backtest.columns.models[name].point, "file_sha256": file.sha256},
            model_file_path=str(file.path),
            status="evaluated",
        )
        session.add(model)
        session.flush()
        tracking.add_scores(session, run, model, accuracy.scores(rows, accuracy.splits(rows)))
        tracking.add_predictions(session, run, model, rows)
    tracking.add_summaries(session, run, "validation", "test")
