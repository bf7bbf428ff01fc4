"""Rolling-origin backtests: which samples a method is fitted to, and its forecasts as prediction rows.

Belongs here: cutoffs, training windows, and the frame of prediction rows. Does not belong here: the methods (`forecasters`) and the writing
(`tracking`).

Prediction rows, the one shape in which forecasts move through this package, are frames with one row per forecast and interval level:
`unique_id` (str), `cutoff`, `ds` (timestamps, UTC), `horizon` (1 is the first step after the cutoff), `predicted`, `actual` (NaN while it
is not known), `level` (0.8 is 80%; NaN without an interval), `lower`, `upper`. Any further column is kept as metadata of the row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dagster_project.demo.accuracy import percent
from dagster_project.demo.forecasters import Forecast, Forecaster, Sample
from dagster_project.demo.series import Series


@dataclass(frozen=True)
class Plan:
    """How a group of series is backtested.

    Attributes:
        horizon: Steps to forecast from each cutoff; cutoffs are one horizon apart.
        cutoffs: Number of cutoffs; the forecasts of the last one end with the series.
        training_window: Observations that a method sees before each cutoff; None means all.
        levels: Nominal interval levels, as fractions.
    """

    horizon: int
    cutoffs: int = 5
    training_window: int | None = None
    levels: tuple[float, ...] = (0.8, 0.9)


@dataclass(frozen=True)
class Window:
    """One cutoff of one series.

    Attributes:
        series: The series.
        fold: Number of the cutoff, 1 is the oldest.
        sample: What a method may see.
        future: What it has to forecast, indexed by time.
        cutoff: Time of the last observation in the sample.
        is_pending: Whether the actual values of this cutoff have not arrived yet.
    """

    series: Series
    fold: int
    sample: Sample
    future: pd.Series
    cutoff: pd.Timestamp
    is_pending: bool


@dataclass(frozen=True)
class Fit:
    """One method fitted at one window."""

    window: Window
    forecast: Forecast


def windows(series: Series, plan: Plan) -> Iterator[Window]:
    """The windows of a series, oldest cutoff first; the actual values of the last one are pending."""
    values = series.values
    for fold in range(1, plan.cutoffs + 1):
        end = len(values) - plan.horizon * (plan.cutoffs - fold + 1)
        start = 0 if plan.training_window is None else max(0, end - plan.training_window)
        yield Window(
            series=series,
            fold=fold,
            sample=Sample(values.iloc[start:end].reset_index(drop=True), series.season_length, plan.horizon, plan.levels),
            future=values.iloc[end : end + plan.horizon],
            cutoff=pd.Timestamp(values.index[end - 1]),
            is_pending=fold == plan.cutoffs,
        )


def run(forecaster: Forecaster, chosen: Sequence[Window]) -> Iterator[Fit]:
    """Fit a method at each window, in order."""
    for window in chosen:
        yield Fit(window, forecaster.forecast(window.sample))


def prediction_rows(fits: Sequence[Fit]) -> pd.DataFrame:
    """The forecasts of fits as prediction rows, with the season length and the scales that MASE and RMSSE divide by.

    Returns:
        Prediction rows with `season_length` and, where the training sample is not constant over seasons, `scale_mae` and `scale_mse`: mean
        absolute and mean squared error of the seasonal naive forecast within the training sample.
    """
    return pd.concat([_rows(fit, level) for fit in fits for level in fit.window.sample.levels or (np.nan,)], ignore_index=True)


def _rows(fit: Fit, level: float) -> pd.DataFrame:
    window, forecast = fit.window, fit.forecast
    lower, upper = forecast.intervals.get(level, (np.nan, np.nan))
    seasonal_errors = window.sample.values.diff(window.sample.season_length).dropna()
    return pd.DataFrame(
        {
            "unique_id": window.series.unique_id,
            "cutoff": window.cutoff,
            "ds": window.future.index,
            "horizon": np.arange(1, window.sample.horizon + 1),
            "predicted": forecast.mean,
            "actual": np.nan if window.is_pending else window.future.to_numpy(),
            "level": level,
            "lower": lower,
            "upper": upper,
            "season_length": window.sample.season_length,
            "scale_mae": float(seasonal_errors.abs().mean()) or np.nan,
            "scale_mse": float((seasonal_errors**2).mean()) or np.nan,
        }
    )


def cross_validation_frame(rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Prediction rows of one model in Nixtla's cross-validation shape.

    Returns:
        A frame with the columns `unique_id`, `ds`, `cutoff`, `y`, the model's name, and `-lo-80`, `-hi-80` after it for each level.
    """
    keys = ["unique_id", "ds", "cutoff"]
    points = rows.drop_duplicates(keys).rename(columns={"actual": "y", "predicted": model})[[*keys, "y", model]]
    for level in sorted(set(rows["level"].dropna())):
        names = {"lower": f"{model}-lo-{percent(level)}", "upper": f"{model}-hi-{percent(level)}"}
        points = points.merge(rows.loc[rows["level"] == level, [*keys, *names]].rename(columns=names), on=keys)
    return points
