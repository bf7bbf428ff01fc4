"""Accuracy of prediction rows (see `backtest`), as a tracker logs it.

Belongs here: which cutoffs are validation and which test, and the metrics with their conventions. Does not belong here: storing them.
The marts compute accuracy again from the predictions themselves; these are the numbers that the source claims.
"""

import numpy as np
import pandas as pd

CONVENTIONS = {
    "mae": "mean absolute error over all series and steps of the fold",
    "rmse": "root of the mean squared error over all series and steps of the fold",
    "smape": "mean of 2 * abs(error) / (abs(actual) + abs(predicted)), a fraction from 0 to 2; 0 where both are 0",
    "mase": "mean of abs(error) / the in-sample mean absolute error of the seasonal naive forecast at the cutoff",
    "coverage": "share of actual values within the interval, bounds included, from 0 to 1; the number is the nominal level in percent",
}

_POINT = ["unique_id", "cutoff", "horizon"]
# As in the marts, whose macro is_usable says the same: squares and sums of larger values would overflow.
_LARGEST = 1e100
_SMALLEST_SCALE = 1e-100


def is_usable(values: pd.Series) -> pd.Series:
    """Whether values can be computed with: neither missing nor too large."""
    return values.abs() < _LARGEST


def percent(level: float) -> str:
    """A level as it stands in names: 90 for 0.9, 97.5 for 0.975."""
    return f"{level * 100:.6f}".rstrip("0").rstrip(".")


def folds(rows: pd.DataFrame) -> pd.Series:
    """The fold of each row: the number of its cutoff within its series, 1 is the oldest."""
    return rows.groupby("unique_id")["cutoff"].rank(method="dense").astype(int).rename("fold")


def splits(rows: pd.DataFrame) -> pd.Series:
    """The split of each row: per series, the last cutoff with a known actual value is `test`, those before it `validation`, those after it
    `production` (their actual values arrive later).
    """  # noqa: D205 (one sentence)
    known = rows["cutoff"].where(rows["actual"].notna())
    test = known.groupby(rows["unique_id"]).transform("max")
    is_production = test.isna() | (rows["cutoff"] > test)
    labels = np.select([is_production, rows["cutoff"] == test], ["production", "test"], "validation")
    return pd.Series(labels, index=rows.index, name="split")


def scores(rows: pd.DataFrame, split: pd.Series) -> pd.DataFrame:
    """The metrics of one model, for every split and fold that has actual values; values that are too large take no part.

    Args:
        rows: Prediction rows; `mase` is computed where they carry `scale_mae`.
        split: The split of each row.

    Returns:
        A frame with the columns `split`, `fold`, `metric` (`mae`, `rmse`, `smape`, `mase`, `coverage_80` and the like), `value`.
    """
    labelled = rows.assign(split=split, fold=folds(rows))
    known = labelled[is_usable(labelled["actual"]) & is_usable(labelled["predicted"])]
    parts = [_metrics(part).assign(split=part["split"].iloc[0], fold=part["fold"].iloc[0]) for _, part in known.groupby(["split", "fold"])]
    columns = ["split", "fold", "metric", "value"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def convention(metric: str) -> str:
    """How a metric of this name is defined."""
    return CONVENTIONS[metric.partition("_")[0]]


def _metrics(rows: pd.DataFrame) -> pd.DataFrame:
    points = rows.drop_duplicates(_POINT)
    error = (points["actual"] - points["predicted"]).abs()
    size = points["actual"].abs() + points["predicted"].abs()
    values = {
        "mae": error.mean(),
        "rmse": float(np.sqrt((error**2).mean())),
        "smape": (2 * error / size.where(size > 0)).fillna(0.0).mean(),
    }
    scale = points["scale_mae"].where(points["scale_mae"] > _SMALLEST_SCALE) if "scale_mae" in points else pd.Series(dtype="float64")
    if scale.notna().any():
        values["mase"] = (error / scale).mean()
    bounded = rows.dropna(subset=["level", "lower", "upper"])
    inside = bounded["actual"].between(bounded["lower"], bounded["upper"])
    values |= {f"coverage_{percent(level)}": inside[bounded["level"] == level].mean() for level in sorted(set(bounded["level"]))}
    return pd.DataFrame({"metric": list(values), "value": [float(value) for value in values.values()]})
