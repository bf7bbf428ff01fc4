"""The in-sample scale of a series at a cutoff, which MASE and RMSSE divide by.

Belongs here: the seasonal naive errors within a training sample, and how long a season of a series is. Does not belong here: the metrics
(`accuracy`, the marts).

The scales are the mean absolute and the mean squared difference between observations one season apart, over all observations up to the
cutoff, as in Hyndman and Koehler (2006), the M4 competition and utilsforecast. A sample is either the history that a user gives, taken as
it is, or what a forecast frame shows of it: actual values of earlier cutoffs, without a gap up to this one, two seasons long at least.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_DAY = 86_400.0
# Observations per season by the usual step of a series in days: yearly, quarterly, monthly, weekly.
_SEASONS = (((360, 370), 1), ((85, 95), 4), ((27, 32), 12), ((6.5, 7.5), 52))
_DAILY, _BUSINESS_DAILY = 7, 5
# A step that is longer than so many usual ones is a gap. Business days have weekends and holidays between them.
_GAP, _BUSINESS_GAP = 1.5, 4.5
_ENOUGH_SEASONS = 2
_SMALLEST = 1e-100


@dataclass(frozen=True)
class Scales:
    """Scales of series and cutoffs.

    Attributes:
        frame: One row per series and cutoff: `unique_id`, `cutoff`, `season_length`, `scale_mae` and `scale_mse` (NaN if unknown).
        missing: Why the first scale is missing, if any is.
    """

    frame: pd.DataFrame
    missing: str | None

    @property
    def known(self) -> int:
        """How many series and cutoffs have a scale."""
        return int(self.frame["scale_mae"].notna().sum())

    @property
    def season_lengths(self) -> list[int]:
        """The season lengths of the scales that are known."""
        return sorted({int(length) for length in self.frame.loc[self.frame["scale_mae"].notna(), "season_length"]})


def scales(cutoffs: pd.DataFrame, sample: pd.DataFrame, season_length: int | None, *, is_history: bool, is_dated: bool) -> Scales:
    """Compute the scales of series at their cutoffs.

    Args:
        cutoffs: `unique_id` and `cutoff`, one row for each.
        sample: `unique_id`, `ds`, `y`, one row for each observation, in any order; `y` may be NaN.
        season_length: Observations per season; None takes it from the usual step of each series.
        is_history: Whether the sample is all that there was, rather than what a forecast frame shows of it.
        is_dated: Whether times are dates, so that steps say what a season is.
    """
    if sample.empty:
        unknown = cutoffs[["unique_id", "cutoff"]].assign(
            season_length=pd.array([pd.NA] * len(cutoffs), "Int64"), scale_mae=np.nan, scale_mse=np.nan
        )
        return Scales(unknown, "there is no y")
    ordered = sample.sort_values(["unique_id", "ds"], ignore_index=True)
    ordered = ordered.merge(_seasons(ordered, season_length, is_dated=is_dated), on="unique_id", how="left")
    ordered["part"] = 0 if is_history else _parts(ordered)
    errors = _cumulative_errors(ordered)
    found = cutoffs.merge(errors.rename(columns={"ds": "cutoff"}), on=["unique_id", "cutoff"], how="left")
    enough = 1 if is_history else _ENOUGH_SEASONS * found["season_length"]
    is_known = (found["differences"] > 0) & (found["observations"] >= enough)
    means = {
        name: (found[column] / found["differences"]).where(is_known)
        for name, column in (("scale_mae", "sum_mae"), ("scale_mse", "sum_mse"))
    }
    is_usable = (means["scale_mae"] > _SMALLEST) & np.isfinite(means["scale_mae"]) & np.isfinite(means["scale_mse"])
    result = found[["unique_id", "cutoff"]].assign(
        season_length=found["season_length"].where(is_usable).astype("Int64"),
        **{name: mean.where(is_usable) for name, mean in means.items()},
    )
    return Scales(result, _why_missing(found[~is_usable], is_known[~is_usable], is_history=is_history))


def _seasons(ordered: pd.DataFrame, season_length: int | None, *, is_dated: bool) -> pd.DataFrame:
    """Usual step of each series in seconds, and its season length (NaN if unknown)."""
    steps = ordered.groupby("unique_id")["ds"].diff().dt.total_seconds()
    is_weekday = (ordered["ds"].dt.day_of_week < 5).groupby(ordered["unique_id"]).all()
    usual = steps.groupby(ordered["unique_id"]).median()
    lengths = [
        season_length or (_season_of(step / _DAY, is_weekday=is_weekday[name]) if is_dated else None) for name, step in usual.items()
    ]
    return pd.DataFrame({"unique_id": usual.index, "step": usual.to_numpy(), "season_length": pd.array(lengths, dtype="Float64")}).astype(
        {"season_length": "float64"}
    )


def _season_of(days: float, *, is_weekday: bool) -> int | None:
    """Observations per season of a series with so many days between them: a year, a week of days, or a day."""
    if days == 1:
        return _BUSINESS_DAILY if is_weekday else _DAILY
    if 0 < days < 1:
        return round(1 / days) if abs(round(1 / days) - 1 / days) < 1e-6 else None
    return next((length for (low, high), length in _SEASONS if low <= days <= high), None)


def _parts(ordered: pd.DataFrame) -> pd.Series:
    """The number of the part without a gap that an observation belongs to, within its series."""
    steps = ordered.groupby("unique_id")["ds"].diff().dt.total_seconds()
    longest = ordered["step"] * np.where(ordered["season_length"] == _BUSINESS_DAILY, _BUSINESS_GAP, _GAP)
    parts: pd.Series = (steps > longest).groupby(ordered["unique_id"]).cumsum()
    return parts


def _cumulative_errors(ordered: pd.DataFrame) -> pd.DataFrame:
    """The seasonal naive errors of each part up to each observation, added up, with their number."""
    parts: list[pd.DataFrame] = []
    for length in ordered["season_length"].unique():
        is_known = not np.isnan(length)
        rows = ordered[ordered["season_length"] == length] if is_known else ordered[ordered["season_length"].isna()]
        keys = [rows["unique_id"], rows["part"]]
        lagged = rows.groupby(keys)["y"].shift(int(length) if is_known else len(rows))
        with np.errstate(over="ignore", invalid="ignore"):
            error = rows["y"] - lagged
            added = pd.DataFrame({"sum_mae": error.abs(), "sum_mse": error**2, "differences": error.notna().astype("int64")})
            added = added.fillna(0.0).groupby(keys).cumsum()
        parts.append(rows[["unique_id", "ds", "season_length"]].assign(**added, observations=rows.groupby(keys).cumcount() + 1))
    errors: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return errors


def _why_missing(found: pd.DataFrame, is_known: pd.Series, *, is_history: bool) -> str | None:
    if found.empty:
        return None
    first = found.iloc[0]
    series, cutoff = first["unique_id"], str(first["cutoff"]).removesuffix(" 00:00:00")
    if pd.isna(first["observations"]):
        return f"{series} has no y at its cutoff {cutoff}"
    if pd.isna(first["season_length"]):
        return f"nothing says how long a season of {series} is, --season-length N does"
    if not is_known.iloc[0]:
        needed = f"{first['season_length']:.0f} and one more" if is_history else f"two seasons of {first['season_length']:.0f}"
        return f"{series} has {first['observations']:.0f} observations up to its cutoff {cutoff}, fewer than {needed}"
    return f"{series} repeats itself up to its cutoff {cutoff}, or has values that are too large"
