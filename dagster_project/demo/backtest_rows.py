"""The values of a forecast frame as prediction rows (see `backtest`).

Belongs here: times, numbers, horizons, and what of a row cannot be stored or scored. Does not belong here: which columns are models
(`backtest_columns`), and the in-sample scale (`in_sample_scale`).

`ds` and `cutoff` are both dates or both integers; an integer counts days from 1970-01-01 and is kept in the prediction's metadata as
`ds_integer` and `cutoff_integer`. A time with a zone keeps its calendar day if all times of the frame are midnights, and is stored in UTC
otherwise. The horizon of a row is the number of time points of its series, over all cutoffs of the file, that lie after the cutoff and not
after `ds`, so that a row that is missing does not shift the later ones.

A row whose forecast is not a finite number is skipped. An interval is left out where a bound is missing or not finite, where the bounds
cross, and where the forecast lies outside, because no check of the platform lets these pass. An actual value that is missing is stored as
NULL. Whatever is skipped or left out is counted and told with the first row that it happened in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dagster_project.demo.accuracy import is_usable
from dagster_project.demo.backtest_columns import ModelColumns
from dagster_project.demo.backtest_files import ACTUAL, BacktestFileError, row_number

_KEYS = ["unique_id", "ds", "cutoff"]
_MISSING = ("", "na", "nan", "null", "none", "n/a", "<na>", "nat")
_INTEGER = r"\s*[+-]?\d+\s*"
_ZONED = r"(?P<local>.*\d[T ]\d{2}.*?)\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)"
# Days from 1970-01-01 that PostgreSQL and pandas can hold as a date.
_FIRST_DAY, _LAST_DAY = -700_000, 2_900_000


@dataclass(frozen=True)
class Times:
    """A column of times, or several that were read together.

    Attributes:
        values: Timestamps without a zone.
        kind: `date`, `integer`, `zoned day` or `zoned time`.
        integers: The integers that they were, if they were.
    """

    values: pd.Series
    kind: str
    integers: pd.Series | None = None


@dataclass
class LeftOut:
    """What is not imported, or not scored, by reason.

    Attributes:
        counts: How often each reason occurred.
        examples: Where it occurred first.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, mask: pd.Series, example: str) -> None:
        """Count the rows for which a mask holds."""
        if mask.any():
            self.counts[reason] = self.counts.get(reason, 0) + int(mask.sum())
            self.examples.setdefault(reason, f"first {example} in row {row_number(mask)}")

    def lines(self) -> list[str]:
        """One line per reason."""
        return [f"{count:,} {reason}; {self.examples[reason]}" for reason, count in self.counts.items()]


@dataclass(frozen=True)
class PredictionRows:
    """The rows of a frame.

    Attributes:
        models: Prediction rows by model.
        points: What the rows of all models have in common: `unique_id`, `ds`, `cutoff`, `horizon`, `actual`.
        times: How the times were read.
    """

    models: Mapping[str, pd.DataFrame]
    points: pd.DataFrame
    times: Times


NOT_FINITE = "forecasts are skipped: they are no finite numbers"
NO_INTERVAL = "intervals are left out: a bound is missing or not finite, the bounds cross, or the forecast is outside"
NOT_SCORED = "forecasts are stored but not scored: forecast or actual value is beyond 1e100"


def prediction_rows(frame: pd.DataFrame, models: Mapping[str, ModelColumns], left_out: LeftOut) -> PredictionRows:
    """The forecasts of each model as prediction rows.

    Args:
        frame: A table with the key columns and those of the models.
        models: Columns of each model.
        left_out: Counts what is left out.

    Raises:
        BacktestFileError: A value of a row is wrong; or no forecast is a finite number.
    """
    base, times = _base(frame)
    rows = {model: _rows_of_model(frame, base, model, columns, left_out) for model, columns in models.items()}
    found = {model: part for model, part in rows.items() if len(part)}
    if not found:
        raise BacktestFileError("no forecast in the file is a finite number")
    return PredictionRows(found, base, times)


def read_times(columns: Sequence[pd.Series]) -> Times:
    """Read columns of times that have to be of one kind, as one series with their rows one after the other.

    Raises:
        BacktestFileError: A time is missing or none, or the columns are of several kinds.
    """
    for column in columns:
        _check_present(column)
    kinds = {_is_integer(column) for column in columns}
    if len(kinds) > 1:
        names = " and ".join(str(column.name) for column in columns)
        raise BacktestFileError(f"of {names} one holds integers and the other dates; give both in the same way")
    if kinds == {True}:
        integers = pd.concat([_days(column) for column in columns])
        return Times((integers * 86_400).astype("datetime64[s]").astype("datetime64[us]"), "integer", integers)
    return _dates(columns)


def numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column as doubles; NaN where a value is missing.

    Raises:
        BacktestFileError: A value is no number.
    """
    values = pd.to_numeric(frame[column], errors="coerce").astype("float64")
    unread = frame[column][values.isna()]
    is_text = (~_is_missing(unread)).reindex(values.index, fill_value=False)
    if is_text.any():
        raise BacktestFileError(
            f"the column {column} holds {frame[column][is_text].iloc[0]!r}, which is not a number, in row {row_number(is_text)}; "
            "correct it or leave it empty"
        )
    return values


def holds_numbers(values: pd.Series) -> bool:
    """Whether any value of a column is a number."""
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    is_text = pd.api.types.is_string_dtype(values) or pd.api.types.is_object_dtype(values)
    return bool((is_number or is_text) and pd.to_numeric(values, errors="coerce").notna().any())


def actual_values(frame: pd.DataFrame) -> pd.Series:
    """The column `y`.

    Raises:
        BacktestFileError: A value is infinite or no number.
    """
    values = numbers(frame, ACTUAL)
    if np.isinf(values).any():
        raise BacktestFileError(f"the column y is infinite in row {row_number(np.isinf(values))}; correct it or leave it empty")
    return values


def series_names(frame: pd.DataFrame) -> pd.Series:
    """The column `unique_id` as text; NA and null are names.

    Raises:
        BacktestFileError: A name is missing, or cannot be stored.
    """
    _check_present(frame["unique_id"])
    names = frame["unique_id"].astype("str")
    has_nul = names.str.contains("\0", regex=False)
    if has_nul.any():
        raise BacktestFileError(
            f"the unique_id {names[has_nul].iloc[0]!r} in row {row_number(has_nul)} holds a NUL character; "
            "a database stores none: take it out"
        )
    return names


def _base(frame: pd.DataFrame) -> tuple[pd.DataFrame, Times]:
    """What the rows of all models have in common."""
    names = series_names(frame)
    times = read_times([frame["ds"], frame["cutoff"]])
    count = len(frame)
    base = pd.DataFrame(
        {
            "unique_id": names,
            "cutoff": times.values.iloc[count:].reset_index(drop=True),
            "ds": times.values.iloc[:count].reset_index(drop=True),
            "actual": actual_values(frame) if ACTUAL in frame else np.nan,
        }
    )
    _check_rows(base, frame)
    base["horizon"] = _horizons(base)
    if times.integers is not None:
        base["ds_integer"], base["cutoff_integer"] = times.integers.to_numpy()[:count], times.integers.to_numpy()[count:]
    return base, times


def _check_rows(base: pd.DataFrame, frame: pd.DataFrame) -> None:
    repeated = base.duplicated(_KEYS)
    if repeated.any():
        row = row_number(repeated)
        first = row_number((base[_KEYS] == base[_KEYS].iloc[row - 1]).all(axis=1))
        what = _row_name(frame, row)
        raise BacktestFileError(f"{what} occurs more than once, in rows {first} and {row}; keep one row of each")
    is_past = base["ds"] <= base["cutoff"]
    if is_past.any():
        row = row_number(is_past)
        what = _row_name(frame, row)
        raise BacktestFileError(f"{what} in row {row}: ds is not after its cutoff; cutoff is the last time that the model saw")


def _row_name(frame: pd.DataFrame, row: int) -> str:
    return ", ".join(f"{key} {frame[key].iloc[row - 1]}" for key in _KEYS)


def _horizons(base: pd.DataFrame) -> pd.Series:
    """Position of `ds` minus position of `cutoff` among all time points of the series."""
    ends = base[["unique_id", "cutoff"]].set_axis(["unique_id", "ds"], axis=1)
    points = pd.concat([base[["unique_id", "ds"]], ends], ignore_index=True).drop_duplicates()
    points = points.assign(position=points.groupby("unique_id")["ds"].rank("dense").astype("int64"))
    position_of = points.set_index(["unique_id", "ds"])["position"]
    of_ds = position_of.reindex(pd.MultiIndex.from_frame(base[["unique_id", "ds"]]))
    return pd.Series(of_ds.to_numpy() - position_of.reindex(pd.MultiIndex.from_frame(ends)).to_numpy(), index=base.index)


def _rows_of_model(frame: pd.DataFrame, base: pd.DataFrame, model: str, columns: ModelColumns, left_out: LeftOut) -> pd.DataFrame:
    predicted = numbers(frame, columns.point)
    is_finite = np.isfinite(predicted)
    left_out.add(NOT_FINITE, ~is_finite, model)
    is_odd = is_finite & ~(is_usable(predicted) & (base["actual"].isna() | is_usable(base["actual"])))
    left_out.add(NOT_SCORED, is_odd, model)
    levels: list[pd.DataFrame] = [
        base.assign(predicted=predicted, level=level, lower=lower, upper=upper)[is_finite]
        for level, lower, upper in _intervals(frame, predicted, model, columns, left_out)
    ]
    return pd.concat(levels, ignore_index=True)


def _intervals(
    frame: pd.DataFrame, predicted: pd.Series, model: str, columns: ModelColumns, left_out: LeftOut
) -> Iterator[tuple[float, pd.Series | float, pd.Series | float]]:
    if not columns.bounds:
        yield np.nan, np.nan, np.nan
    for level, (lower, upper) in columns.bounds.items():
        low, high = numbers(frame, lower), numbers(frame, upper)
        is_right = np.isfinite(low) & np.isfinite(high) & (low <= predicted) & (predicted <= high)
        left_out.add(NO_INTERVAL, np.isfinite(predicted) & ~is_right, f"{model} at {level * 100:g}%")
        yield level, low.where(is_right), high.where(is_right)


def _is_missing(values: pd.Series) -> pd.Series:
    return values.isna() | values.astype("str").str.strip().str.casefold().isin(_MISSING)


def _check_present(column: pd.Series) -> None:
    # A series may be called NA; a time may not.
    is_missing = column.isna() | (column.astype("str") == "") if column.name == "unique_id" else _is_missing(column)
    if is_missing.any():
        raise BacktestFileError(f"the column {column.name} has no value in row {row_number(is_missing)}")


def _is_integer(column: pd.Series) -> bool:
    if pd.api.types.is_float_dtype(column):
        return bool((column == column.round()).all())
    if pd.api.types.is_datetime64_any_dtype(column):
        return False
    return pd.api.types.is_integer_dtype(column) or bool(column.astype("str").str.fullmatch(_INTEGER).all())


def _days(column: pd.Series) -> pd.Series:
    """Integers that count days."""
    try:
        days = column.astype("str").astype("int64") if not pd.api.types.is_numeric_dtype(column) else column.astype("int64")
    except (ValueError, OverflowError):
        raise BacktestFileError(
            f"the column {column.name} holds integers that are no days since 1970-01-01; write dates as 2024-01-31"
        ) from None
    is_odd = ~days.between(_FIRST_DAY, _LAST_DAY)
    if is_odd.any():
        raise BacktestFileError(
            f"the {column.name} {days[is_odd].iloc[0]} is no number of days since 1970-01-01, in row {row_number(is_odd)}; "
            "write dates as 2024-01-31"
        )
    year, month = days // 100, days % 100
    if (year.between(1800, 2200) & month.between(1, 12)).all():
        first = days.iloc[0]
        raise BacktestFileError(
            f"the {column.name} {first} looks like a month, and would be taken for a number of days since 1970-01-01; "
            f"write dates as {first // 100}-{first % 100:02}-01"
        )
    return days


def _dates(columns: Sequence[pd.Series]) -> Times:
    has_zone = pd.concat([_has_zone(column) for column in columns], ignore_index=True)
    if not has_zone.any():
        return Times(pd.concat([_parsed(column) for column in columns]), "date")
    if not has_zone.all():
        place, row = divmod(row_number(~has_zone) - 1, len(columns[0]))
        raise BacktestFileError(
            f"the {columns[place].name} {columns[place].iloc[row]} in row {row + 1} has no zone, and other times have one; "
            "give all of them in the same way"
        )
    local = pd.concat([_parsed(_without_zone(column)) for column in columns])
    if (local == local.dt.normalize()).all():
        return Times(local, "zoned day")
    return Times(pd.concat([_parsed(column) for column in columns]), "zoned time")


def _has_zone(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(column):
        return pd.Series(isinstance(column.dtype, pd.DatetimeTZDtype), index=column.index)
    return column.astype("str").str.fullmatch(_ZONED)


def _without_zone(column: pd.Series) -> pd.Series:
    is_time = isinstance(column.dtype, pd.DatetimeTZDtype)
    local: pd.Series = column.dt.tz_localize(None) if is_time else column.astype("str").str.replace(f"^{_ZONED}$", r"\g<local>", regex=True)
    return local


def _parsed(column: pd.Series) -> pd.Series:
    """Timestamps; of times with a zone, those in UTC."""
    is_time = pd.api.types.is_datetime64_any_dtype(column)
    try:
        times = pd.to_datetime(column, utc=True, format=None if is_time else "ISO8601")
    except (ValueError, TypeError) as error:
        parsed = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
        bad = f", as {column[parsed.isna()].iloc[0]!r} in row {row_number(parsed.isna())}" if parsed.isna().any() else f": {error}"
        raise BacktestFileError(
            f"the column {column.name} holds neither ISO 8601 dates nor integers{bad}; write dates as 2024-01-31"
        ) from None
    return times.dt.tz_localize(None).astype("datetime64[us]")
