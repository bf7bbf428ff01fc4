"""The data sets of the demo: the csv files of statsmodels, the series in them, and the panels that models are trained on.

Belongs here: rows of `datasets` and `dataset_features`, with statistics measured on the real data. Does not belong here: reading series out
of files (`series`).
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from dagster_project.demo.series import Series, SourceFile
from dagster_project.demo.tracking import StoredFile, stable_uuid
from migrations.forecast_tracking.models import Dataset, DatasetFeature

_ROLES = {"ds": "timestamp", "y": "target", "unique_id": "id"}


def ensure_panel(session: Session, name: str, panel: Sequence[Series], folder: Path) -> Dataset:
    """The training data set of some series, written to a file and tracked together with its series and their sources; nothing is repeated.

    Args:
        session: Open session; the caller commits.
        name: Name of the panel.
        panel: Its series, all of one frequency.
        folder: Where the files are written.

    Returns:
        The panel's row, with the columns `unique_id`, `ds`, `y`.
    """
    for series in panel:
        _ensure_series(session, series, folder)
    frame = pd.concat([_frame(series).assign(unique_id=series.unique_id) for series in panel], ignore_index=True)[["unique_id", "ds", "y"]]
    return _ensure(
        session,
        StoredFile.write(folder / f"{name}.csv", frame.to_csv(index=False)),
        frame,
        dataset_name=name,
        dataset_description="Panel of " + ", ".join(series.unique_id for series in panel) + ".",
        dataset_type="training",
        file_path=f"datasets/{name}.csv",
        num_time_series=len(panel),
        date_column="ds",
        target_column="y",
        frequency=panel[0].frequency,
        start_date=frame["ds"].min().to_pydatetime(),
        end_date=frame["ds"].max().to_pydatetime(),
        metadata_={"series": [series.unique_id for series in panel], "season_length": panel[0].season_length},
    )


def _ensure_series(session: Session, series: Series, folder: Path) -> Dataset:
    frame = _frame(series)
    return _ensure(
        session,
        StoredFile.write(folder / f"{series.unique_id}.csv", frame.to_csv(index=False)),
        frame,
        dataset_name=series.unique_id,
        dataset_description=series.description,
        dataset_type="processed",
        file_path=f"datasets/{series.unique_id}.csv",
        num_time_series=1,
        date_column="ds",
        target_column="y",
        frequency=series.frequency,
        start_date=frame["ds"].min().to_pydatetime(),
        end_date=frame["ds"].max().to_pydatetime(),
        parent_dataset_id=_ensure_source(session, series.source).dataset_id,
        metadata_={"unique_id": series.unique_id, "season_length": series.season_length},
    )


def _ensure_source(session: Session, source: SourceFile) -> Dataset:
    return _ensure(
        session,
        StoredFile.of(source.path),
        source.read(),
        dataset_name=source.path.stem,
        dataset_description=source.description,
        dataset_type="raw",
        file_path=f"statsmodels/datasets/{source.name}",
    )


def _ensure(session: Session, file: StoredFile, frame: pd.DataFrame, **columns: object) -> Dataset:
    identity = stable_uuid("dataset", columns["dataset_type"], columns["dataset_name"], file.sha256)
    tracked = session.scalar(select(Dataset).where(Dataset.dataset_uuid == identity))
    if tracked is not None:
        return tracked
    types = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    dataset = Dataset(
        dataset_uuid=identity,
        file_format="csv",
        file_size_bytes=file.size_bytes,
        file_hash=file.sha256,
        num_rows=len(frame),
        num_columns=frame.shape[1],
        schema_definition={"columns": [{"name": name, "type": dtype} for name, dtype in types.items()]},
        column_types=types,
        missing_values_count=int(frame.isna().sum().sum()),
        duplicate_rows_count=int(frame.duplicated().sum()),
        features=[_feature(str(name), frame[name]) for name in frame.columns],
        **columns,
    )
    session.add(dataset)
    session.flush()
    return dataset


def _feature(name: str, values: pd.Series) -> DatasetFeature:
    missing = int(values.isna().sum())
    feature = DatasetFeature(
        feature_name=name,
        data_type=str(values.dtype),
        num_unique_values=int(values.nunique()),
        missing_count=missing,
        missing_percentage=Decimal(100 * missing / len(values)).quantize(Decimal("0.01")),
        feature_role=_ROLES.get(name, "feature"),
        is_target=name == "y",
    )
    if pd.api.types.is_numeric_dtype(values):
        feature.feature_type = "numeric"
        feature.min_value, feature.max_value = float(values.min()), float(values.max())
        feature.mean_value, feature.median_value = float(values.mean()), float(values.median())
        feature.std_value = float(values.std())
    elif pd.api.types.is_datetime64_any_dtype(values):
        feature.feature_type = "datetime"
    else:
        feature.feature_type = "categorical" if name == "unique_id" else "text"
        feature.unique_values = sorted(set(values)) if name == "unique_id" else None
    return feature


def _frame(series: Series) -> pd.DataFrame:
    return series.values.rename("y").reset_index()
