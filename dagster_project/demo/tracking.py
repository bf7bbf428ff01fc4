"""Writing to the forecast tracking database through its models, as a tracker's client would.

Belongs here: what every writer needs: fingerprints, files with their true size and hash, metrics, summaries, prediction rows. Does not
belong here: which runs there are (`forecast_tracking`, `backtest_files`).

How predictions are stored, which readers rely on: one row per forecast and interval level, so a forecast with intervals of 80% and 90% is
two rows with the same `predicted_value`, and one without any has NULL in `confidence_level` and both bounds. `metadata` holds `cutoff`, the
ISO 8601 time of the last observation that the model saw; `horizon` counts the steps from there. Where the writer knows the training sample,
`metadata` also holds `season_length`, `scale_mae` and `scale_mse`: mean absolute and mean squared error of the seasonal naive forecast
within the sample, the divisors of MASE and RMSSE.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.orm import Session

from dagster_project.demo.accuracy import convention
from migrations.forecast_tracking.models import Artifact, Experiment, Metric, MetricSummary, Model, Prediction, Run

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "forecast_tracking")
_ROW_COLUMNS = ["unique_id", "cutoff", "ds", "horizon", "predicted", "actual", "level", "lower", "upper"]
_MIME_TYPES = {"json": "application/json", "csv": "text/csv", "txt": "text/plain", "parquet": "application/vnd.apache.parquet"}


def fingerprint(configuration: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stable_uuid(*parts: object) -> uuid.UUID:
    """A UUID that is the same for the same parts."""
    return uuid.uuid5(_NAMESPACE, "/".join(map(str, parts)))


def utc_now() -> datetime:
    """The time, in UTC and without a zone as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Stopwatch:
    """Measures a piece of work from its creation on."""

    started_at: datetime = field(default_factory=utc_now)
    _start: float = field(default_factory=perf_counter)

    @property
    def seconds(self) -> Decimal:
        """Time since the start, to the millisecond."""
        return Decimal(perf_counter() - self._start).quantize(Decimal("0.001"))


@dataclass(frozen=True)
class StoredFile:
    """A file as it is on disk.

    Attributes:
        path: Where it is.
        size_bytes: Its size.
        sha256: Hash of its content, hexadecimal.
    """

    path: Path
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "StoredFile":
        """Measure a file that is there."""
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return cls(path, path.stat().st_size, digest)

    @classmethod
    def write(cls, path: Path, content: str) -> "StoredFile":
        """Write a file and its folder, then measure it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return cls.of(path)


def tracked_run(session: Session, experiment: Experiment, run_fingerprint: str) -> Run | None:
    """The run of an experiment that has this fingerprint, unless it was deleted."""
    runs = select(Run).where(Run.experiment_id == experiment.experiment_id, Run.deleted_at.is_(None))
    return session.scalar(runs.where(Run.run_fingerprint == run_fingerprint))


def new_run(
    session: Session, experiment: Experiment, run_fingerprint: str, started_at: datetime, seconds: Decimal, **columns: object
) -> Run:
    """Add a run that has ended.

    Args:
        session: Open session; the caller commits.
        experiment: The experiment of the run.
        run_fingerprint: SHA-256 of the run's configuration.
        started_at: When it started, in UTC.
        seconds: How long it took.
        columns: Further columns of the run.
    """
    # A run whose predecessor was deleted is a run of its own.
    predecessors = session.scalar(select(func.count()).where(Run.run_fingerprint == run_fingerprint))
    run = Run(
        run_uuid=stable_uuid("run", run_fingerprint, predecessors),
        experiment_id=experiment.experiment_id,
        run_fingerprint=run_fingerprint,
        start_time=started_at,
        end_time=started_at + timedelta(seconds=float(seconds)),
        execution_duration_seconds=seconds,
        **columns,
    )
    session.add(run)
    session.flush()
    return run


def add_scores(session: Session, run: Run, model: Model | None, scores: pd.DataFrame) -> None:
    """Add the metrics of a model, or of a run without one, as computed by `accuracy.scores`."""
    rows = [
        {
            "run_id": run.run_id,
            "model_id": model.model_id if model else None,
            "metric_name": score["metric"],
            "metric_value": score["value"],
            "metric_step": score["fold"],
            "dataset_type": score["split"],
            "evaluation_context": f"backtest_fold_{score['fold']}",
            "metadata_": {"convention": convention(score["metric"])},
        }
        for score in scores.to_dict("records")
    ]
    if rows:
        session.execute(insert(Metric), rows)


def add_steps(session: Session, run: Run, model: Model | None, context: str, log_likelihoods: Iterable[float]) -> None:
    """Add the log-likelihood after each optimizer iteration of one fit; the first is step 1."""
    rows = [
        {
            "run_id": run.run_id,
            "model_id": model.model_id if model else None,
            "metric_name": "log_likelihood",
            "metric_value": value,
            "metric_step": step,
            "dataset_type": "train",
            "evaluation_context": context,
        }
        for step, value in enumerate(log_likelihoods, start=1)
    ]
    if rows:
        session.execute(insert(Metric), rows)


def add_summaries(session: Session, run: Run, *splits: str) -> None:
    """Add the summaries of a run's metrics of some splits; standard deviations are those of a sample, NULL for a single value."""
    columns = (Metric.model_id, Metric.metric_name, Metric.dataset_type, Metric.metric_value)
    metrics = session.execute(select(*columns).where(Metric.run_id == run.run_id, Metric.dataset_type.in_(splits)))
    frame = pd.DataFrame(metrics.all(), columns=["model_id", "metric_name", "dataset_type", "value"]).astype({"value": float})
    groups = frame.groupby(["model_id", "metric_name", "dataset_type"], dropna=False)["value"]
    table = groups.agg(["min", "max", "mean", "median", "std"]).add_suffix("_value")
    table = table.assign(q1_value=groups.quantile(0.25), q3_value=groups.quantile(0.75), sample_count=groups.count())
    rows = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()} | {"run_id": run.run_id}
        for row in table.reset_index().to_dict("records")
    ]
    if rows:
        session.execute(insert(MetricSummary), rows)


def add_artifact(session: Session, run: Run, file: StoredFile, *, kind: str, relative_to: Path, description: str) -> None:
    """Add a file of a run.

    Args:
        session: Open session; the caller commits.
        run: The run that made or read the file.
        file: The file as it is on disk.
        kind: The artifact type, such as `model` or `prediction`.
        relative_to: Folder that the artifact's path is given from.
        description: What the file holds.
    """
    file_format = file.path.suffix.removeprefix(".").lower()
    session.add(
        Artifact(
            artifact_uuid=stable_uuid("artifact", run.run_uuid, file.path.name),
            run_id=run.run_id,
            artifact_name=file.path.name,
            artifact_type=kind,
            artifact_path=str(file.path.relative_to(relative_to)),
            file_size_bytes=file.size_bytes,
            file_format=file_format,
            mime_type=_MIME_TYPES.get(file_format),
            file_hash=file.sha256,
            storage_path=file.path.as_uri(),
            description=description,
        )
    )


def create_partitions(engine: Engine, dates: Iterable[pd.Timestamp]) -> None:
    """Create the partitions of the calendar quarters that predictions fall in; commits, since it locks the table until then."""
    quarters = sorted({date.date().replace(month=(date.month - 1) // 3 * 3 + 1, day=1) for date in dates})
    statement = text("select create_partitions('predictions', day, day) from unnest(cast(:days as date[])) as day")
    with engine.begin() as connection:
        connection.execute(statement, {"days": quarters})


def add_predictions(session: Session, run: Run, model: Model, rows: pd.DataFrame) -> None:
    """Add prediction rows of a model, as this module's docstring says."""
    table = pd.DataFrame(
        {
            "run_id": run.run_id,
            "model_id": model.model_id,
            "prediction_date": rows["ds"],
            "unique_id": rows["unique_id"],
            "horizon": rows["horizon"],
            "predicted_value": rows["predicted"],
            "actual_value": rows["actual"],
            "lower_bound": rows["lower"],
            "upper_bound": rows["upper"],
            "confidence_level": rows["level"].round(6),
            "metadata": _metadata(rows),
        }
    )
    buffer = StringIO()
    table.to_csv(buffer, index=False, header=False)
    buffer.seek(0)
    copy_expert = session.connection().connection.cursor().copy_expert
    copy_expert(f"copy predictions ({', '.join(table.columns)}) from stdin with (format csv)", buffer)


def prediction_rows(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Stored predictions as prediction rows again, in the order given."""
    return pd.DataFrame(
        {
            "unique_id": prediction.unique_id,
            "ds": pd.Timestamp(prediction.prediction_date),
            "horizon": prediction.horizon,
            "predicted": prediction.predicted_value,
            "actual": prediction.actual_value,
            "level": float(prediction.confidence_level) if prediction.confidence_level is not None else None,
            "lower": prediction.lower_bound,
            "upper": prediction.upper_bound,
            **(prediction.metadata_ or {}),
        }
        for prediction in predictions
    ).astype({"cutoff": "datetime64[us]", "actual": "float64"})


def _metadata(rows: pd.DataFrame) -> list[str]:
    extras = rows.drop(columns=_ROW_COLUMNS).to_dict("records")
    cutoffs = rows["cutoff"].map(pd.Timestamp.isoformat)
    return [
        json.dumps({"cutoff": cutoff} | {key: value for key, value in extra.items() if pd.notna(value)})
        for cutoff, extra in zip(cutoffs, extras, strict=True)
    ]
