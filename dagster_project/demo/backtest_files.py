"""Bringing a backtest of one's own: a forecast frame in Nixtla's cross-validation shape, from CSV or Parquet to the source database.

Belongs here: reading such a file into prediction rows (see `backtest`), and tracking it. Does not belong here: how prediction rows are
stored (`tracking`) and scored (`accuracy`).

The file has the columns `unique_id`, `ds`, `cutoff`, optionally `y`, and for each model its point forecast `Model` or `Model-median`, with
intervals `Model-lo-90` and `Model-hi-90` of any whole levels; columns stand in any order. A column without a name (the index of a frame) is
ignored, and so is a median beside a point forecast. `ds` and `cutoff` are both dates or both integers; an integer counts days from
1970-01-01 and is kept in the prediction's metadata as `ds_integer` and `cutoff_integer`. The horizon of a row is the number of time points
of its series, over all cutoffs of the file, that lie after the cutoff and not after `ds`, so that a row that is missing does not shift the
later ones. A row whose forecast is not a finite number is skipped and counted; an actual value that is missing is stored as NULL, as are
the bounds of an interval of which one is missing. Bounds that cross are stored as they are, for the checks to find.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from dagster_project.demo import accuracy, tracking
from dagster_project.demo.tracking import Stopwatch, StoredFile
from dagster_project.errors import RunmartError
from dagster_project.resources.databases import engine
from migrations.forecast_tracking.models import Experiment, Model

_KEYS = ("unique_id", "ds", "cutoff")
_BOUND = re.compile(r"(?P<model>.+)-(?P<side>lo|hi)-(?P<level>\d+(\.\d+)?)")
_MEDIAN = re.compile(r"(?P<model>.+)-median")
_UNNAMED = re.compile(r"Unnamed: \d+|__index_level_\d+__|")
_LONGEST_NAME = 100
_FRAMEWORK = re.compile(r"[a-z0-9][a-z0-9_.-]{0,49}")
_INTEGER = re.compile(r"[+-]?\d+")


class BacktestFileError(RunmartError):
    """A file cannot be imported; the message names the file, the column or value, and what is expected instead."""


@dataclass(frozen=True)
class ModelColumns:
    """The columns of one model.

    Attributes:
        point: Column of the point forecast.
        bounds: Columns of the lower and upper bound, by level as a fraction.
    """

    point: str
    bounds: Mapping[float, tuple[str, str]]


@dataclass(frozen=True)
class BacktestFile:
    """The content of a file.

    Attributes:
        models: Prediction rows by model, in the order of the file's columns.
        skipped: Forecasts that were left out because they are not finite numbers.
    """

    models: Mapping[str, pd.DataFrame]
    skipped: int


@dataclass(frozen=True)
class ImportSummary:
    """What `import_backtest` did.

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


def import_backtest(source_url: str, file: Path, experiment_name: str, framework: str = "unknown") -> ImportSummary:
    """Track a file of forecasts as a run of an experiment, in one transaction; a file that is tracked already is left alone.

    Args:
        source_url: libpq URL of a migrated forecast tracking database.
        file: A `.csv` or `.parquet` file.
        experiment_name: The experiment, created if there is none of this name.
        framework: Library that made the forecasts, such as `statsforecast`.

    Raises:
        BacktestFileError: The file cannot be read or is not in the expected shape.
    """
    if not _FRAMEWORK.fullmatch(framework):
        raise BacktestFileError(f"the framework {framework!r} is no name of a library; use lower case letters, digits, '.', '_' and '-'")
    watch = Stopwatch()
    content = read_backtest(file)
    stored = StoredFile.of(file.resolve())
    fingerprint = tracking.fingerprint({"experiment": experiment_name, "file_sha256": stored.sha256})
    database = engine(source_url)
    try:
        _create_partitions(database, content)
        with Session(database) as session, session.begin():
            experiment = _ensure_experiment(session, experiment_name)
            tracked = tracking.tracked_run(session, experiment, fingerprint)
            if tracked is not None:
                return ImportSummary(tracked.run_id, tuple(content.models), 0, content.skipped, is_new=False)
            run_id = _track(session, experiment, fingerprint, file=stored, content=content, framework=framework, watch=watch)
    finally:
        database.dispose()
    return ImportSummary(run_id, tuple(content.models), sum(map(len, content.models.values())), content.skipped, is_new=True)


def read_backtest(file: Path) -> BacktestFile:
    """Read a file into prediction rows.

    Raises:
        BacktestFileError: The file cannot be read or is not in the expected shape.
    """
    frame = _read(file)
    try:
        models = model_columns(map(str, frame.columns))
        if frame.empty:
            raise BacktestFileError("the file has columns but no rows")
        return _prediction_rows(frame, models)
    except BacktestFileError as error:
        raise BacktestFileError(f"{file}: {error}") from None


def model_columns(columns: Iterable[str]) -> dict[str, ModelColumns]:
    """Find the models in the names of a frame's columns, in any order.

    Raises:
        BacktestFileError: A required column is missing, a bound stands alone, a level cannot be stored, or there is no model.
    """
    names = [name for name in columns if not _UNNAMED.fullmatch(name)]
    _check_names(names)
    bounds: dict[str, dict[str, dict[float, str]]] = {}
    medians: dict[str, str] = {}
    points: dict[str, str] = {}
    for name in names:
        if bound := _BOUND.fullmatch(name):
            side = bounds.setdefault(bound["model"], {"lo": {}, "hi": {}})[bound["side"]]
            level = _level(name, bound["level"])
            if level in side:
                raise BacktestFileError(f"the columns {side[level]} and {name} are the same bound; keep one of them")
            side[level] = name
        elif median := _MEDIAN.fullmatch(name):
            medians[median["model"]] = name
        elif name not in (*_KEYS, "y"):
            points[name] = name
    if too_long := [model for model in (*points, *medians) if len(model) > _LONGEST_NAME]:
        raise BacktestFileError(f"the model name {too_long[0]} is longer than {_LONGEST_NAME} characters; rename its columns")
    points = {model: points.get(model, medians.get(model, model)) for model in dict.fromkeys([*points, *medians])}
    _check_bounds(points, bounds, names)
    return {model: ModelColumns(point, _pairs(bounds.get(model, {"lo": {}, "hi": {}}))) for model, point in points.items()}


def _check_names(names: list[str]) -> None:
    found = f"found {', '.join(names) or 'none'}"
    if missing := [key for key in _KEYS if key not in names]:
        raise BacktestFileError(f"the columns {', '.join(missing)} are missing; {found}")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise BacktestFileError(f"the columns {', '.join(repeated)} occur more than once; {found}")


def _check_bounds(points: Mapping[str, str], bounds: Mapping[str, Mapping[str, Mapping[float, str]]], names: list[str]) -> None:
    if not points and not bounds:
        raise BacktestFileError(f"there is no column with forecasts, such as AutoARIMA or AutoARIMA-median; found {', '.join(names)}")
    for model, sides in bounds.items():
        if model not in points:
            raise BacktestFileError(f"there are intervals of {model}, but neither {model} nor {model}-median; found {', '.join(names)}")
        for level in sides["lo"].keys() ^ sides["hi"].keys():
            alone = sides["lo"].get(level) or sides["hi"][level]
            raise BacktestFileError(f"the column {alone} has no counterpart; an interval needs both its lo and its hi column")


def _pairs(sides: Mapping[str, Mapping[float, str]]) -> dict[float, tuple[str, str]]:
    return {level: (sides["lo"][level], sides["hi"][level]) for level in sorted(sides["lo"])}


def _level(column: str, text: str) -> float:
    level = float(text)
    if not 0 < level < 100:
        raise BacktestFileError(f"the level of column {column} is not between 0 and 100")
    if level != int(level):
        raise BacktestFileError(
            f"the level {text} of column {column} would be stored rounded, since predictions.confidence_level is numeric(3,2); "
            "leave its columns out or forecast a whole level"
        )
    return level / 100


def _read(file: Path) -> pd.DataFrame:
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": _read_csv, ".parquet": _read_parquet}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise BacktestFileError(f"{file}: the format {file.suffix or '(no extension)'} is not known; use .csv or .parquet")
    try:
        return reader(file)
    except pd.errors.EmptyDataError:
        raise BacktestFileError(f"{file}: the file is empty") from None
    except (OSError, ValueError, ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise BacktestFileError(f"{file}: cannot be read: {reason}") from error


def _read_csv(file: Path) -> pd.DataFrame:
    # pandas renames repeated columns, so their names are read as data.
    header = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    names = header.iloc[0].tolist()
    if len(set(names)) < len(names):
        _check_names([name for name in names if name])
    return pd.read_csv(file, dtype=dict.fromkeys(_KEYS, str), encoding="utf-8-sig")


def _read_parquet(file: Path) -> pd.DataFrame:
    frame = pd.read_parquet(file)
    # Older versions of Nixtla's libraries give `unique_id` as the index.
    return frame.reset_index() if frame.index.name else frame


def _prediction_rows(frame: pd.DataFrame, models: Mapping[str, ModelColumns]) -> BacktestFile:
    base = _base(frame)
    rows: dict[str, pd.DataFrame] = {}
    skipped = 0
    for model, columns in models.items():
        predicted = _numbers(frame, columns.point)
        is_finite = np.isfinite(predicted)
        skipped += int((~is_finite).sum())
        levels = [
            base.assign(predicted=predicted, level=level, lower=lower, upper=upper)[is_finite]
            for level, lower, upper in _intervals(frame, columns)
        ]
        rows[model] = pd.concat(levels, ignore_index=True)
    found = {model: part for model, part in rows.items() if len(part)}
    if not found:
        raise BacktestFileError("no forecast in the file is a finite number")
    return BacktestFile(found, skipped)


def _intervals(frame: pd.DataFrame, columns: ModelColumns) -> Iterable[tuple[float, pd.Series | float, pd.Series | float]]:
    if not columns.bounds:
        yield np.nan, np.nan, np.nan
    for level, (lower, upper) in columns.bounds.items():
        low, high = _numbers(frame, lower), _numbers(frame, upper)
        is_complete = low.notna() & high.notna()
        yield level, low.where(is_complete), high.where(is_complete)


def _base(frame: pd.DataFrame) -> pd.DataFrame:
    for key in _KEYS:
        if frame[key].isna().any():
            raise BacktestFileError(f"the column {key} has no value in row {_first_row(frame[key].isna())}")
    times = {"ds": _times(frame["ds"]), "cutoff": _times(frame["cutoff"])}
    if len({is_integer for _, is_integer in times.values()}) > 1:
        raise BacktestFileError("of ds and cutoff one holds integers and the other dates; give both in the same way")
    actual = _numbers(frame, "y") if "y" in frame else np.nan
    base = pd.DataFrame({"unique_id": frame["unique_id"].astype(str), "cutoff": times["cutoff"][0], "ds": times["ds"][0], "actual": actual})
    if np.isinf(base["actual"]).any():
        raise BacktestFileError(f"the column y is infinite in row {_first_row(np.isinf(base['actual']))}")
    _check_rows(base)
    base["horizon"] = _horizons(base)
    if times["ds"][1]:
        base["ds_integer"], base["cutoff_integer"] = frame["ds"].astype("int64"), frame["cutoff"].astype("int64")
    return base


def _check_rows(base: pd.DataFrame) -> None:
    repeated = base.duplicated(list(_KEYS))
    if repeated.any():
        first = base[repeated].iloc[0]
        raise BacktestFileError(f"unique_id {first['unique_id']}, ds {first['ds']}, cutoff {first['cutoff']} occurs more than once")
    is_past = base["ds"] <= base["cutoff"]
    if is_past.any():
        first = base[is_past].iloc[0]
        raise BacktestFileError(f"unique_id {first['unique_id']}: ds {first['ds']} is not after its cutoff {first['cutoff']}")


def _horizons(base: pd.DataFrame) -> pd.Series:
    """Position of `ds` minus position of `cutoff` among all time points of the series."""
    horizon = pd.Series(0, index=base.index)
    for _, rows in base.groupby("unique_id"):
        points = np.unique(np.concatenate([rows["ds"].to_numpy(), rows["cutoff"].to_numpy()]))
        horizon.loc[rows.index] = np.searchsorted(points, rows["ds"].to_numpy()) - np.searchsorted(points, rows["cutoff"].to_numpy())
    return horizon


def _times(values: pd.Series) -> tuple[pd.Series, bool]:
    """Timestamps of dates or integers, and whether they are integers."""
    if pd.api.types.is_integer_dtype(values) or (
        not pd.api.types.is_datetime64_any_dtype(values) and values.astype(str).str.fullmatch(_INTEGER.pattern).all()
    ):
        days = values.astype("int64")
        is_odd = ~days.between(-700_000, 2_900_000)
        if is_odd.any():
            raise BacktestFileError(
                f"the {values.name} {days[is_odd].iloc[0]} is no number of days since 1970-01-01; write dates as 2024-01-31"
            )
        return (days * 86_400).astype("datetime64[s]").astype("datetime64[us]"), True
    try:
        times = pd.to_datetime(values, utc=True, format=None if pd.api.types.is_datetime64_any_dtype(values) else "ISO8601")
    except (ValueError, TypeError) as error:
        raise BacktestFileError(
            f"the column {values.name} holds neither ISO 8601 dates nor integers: {str(error).splitlines()[0]}"
        ) from None
    return times.dt.tz_localize(None).astype("datetime64[us]"), False


def _numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    values = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    is_text = values.isna() & frame[column].notna()
    if is_text.any():
        raise BacktestFileError(f"the column {column} holds {frame[column][is_text].iloc[0]!r}, which is not a number")
    return values


def _first_row(mask: pd.Series) -> int:
    return int(np.argmax(mask.to_numpy())) + 1


def _create_partitions(database: Engine, content: BacktestFile) -> None:
    dates = {pd.Timestamp(date) for rows in content.models.values() for date in rows["ds"].unique()}
    tracking.create_partitions(database, dates)


def _ensure_experiment(session: Session, name: str) -> Experiment:
    living = select(Experiment).where(Experiment.experiment_name == name, Experiment.deleted_at.is_(None))
    experiment = session.scalar(living.order_by(Experiment.experiment_id).limit(1))
    if experiment is None:
        experiment = Experiment(experiment_name=name, experiment_type="testing")
        session.add(experiment)
        session.flush()
    return experiment


def _track(
    session: Session,
    experiment: Experiment,
    fingerprint: str,
    *,
    file: StoredFile,
    content: BacktestFile,
    framework: str,
    watch: Stopwatch,
) -> int:
    # The times are those of the import: when and for how long the forecasts were made is not in the file.
    run = tracking.new_run(
        session,
        experiment,
        fingerprint,
        watch.started_at,
        watch.seconds,
        run_name=f"import of {file.path.name}",
        status="completed",
        source_type="cli",
        source_name=__name__,
        metadata_={"file": file.path.name, "file_sha256": file.sha256, "skipped_forecasts": content.skipped},
    )
    tracking.add_artifact(session, run, file, kind="prediction", relative_to=file.path.parent, description="The imported file.")
    for name, rows in content.models.items():
        model = Model(
            model_uuid=tracking.stable_uuid("model", run.run_uuid, name),
            run_id=run.run_id,
            model_name=f"{experiment.experiment_name} {name}",
            model_type=name,
            framework=framework,
            model_config={"column": name, "file_sha256": file.sha256},
            model_file_path=str(file.path),
            status="evaluated",
        )
        session.add(model)
        session.flush()
        tracking.add_scores(session, run, model, accuracy.scores(rows, accuracy.splits(rows)))
        tracking.add_predictions(session, run, model, rows)
    tracking.add_summaries(session, run, "validation", "test")
    return run.run_id
