"""Carrying out one attempt of the demo: tuning it if it has several settings, and fitting it at every window.

Belongs here: what happens in a run, timed, with its warnings and whatever ended it. Does not belong here: the database (`recording`).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from warnings import WarningMessage

import pandas as pd
from threadpoolctl import threadpool_limits

from dagster_project.demo import accuracy, backtest
from dagster_project.demo.backtest import Fit, Window
from dagster_project.demo.forecasters import Forecaster, IterationBudgetError
from dagster_project.demo.tracking import Stopwatch


@dataclass(frozen=True)
class Attempt:
    """One run: a method, or several settings of one among which the validation folds decide.

    Attributes:
        name: Name of the run.
        candidates: The settings, all of one method.
    """

    name: str
    candidates: tuple[Forecaster, ...]

    @property
    def method(self) -> Forecaster:
        """The first setting, which stands for the method."""
        return self.candidates[0]

    @property
    def role(self) -> str:
        """What the attempt is for: `baseline` or `candidate`."""
        return "baseline" if self.method.model_type == "SeasonalNaive" else "candidate"


@dataclass(frozen=True)
class Trial:
    """One setting, judged by the validation folds.

    Attributes:
        forecaster: The setting.
        scores: Its metrics, as `accuracy.scores` gives them.
        watch: Started with the trial.
        seconds: How long it took.
    """

    forecaster: Forecaster
    scores: pd.DataFrame
    watch: Stopwatch
    seconds: Decimal

    @property
    def mase(self) -> float:
        """Mean MASE over the folds, by which settings are compared."""
        return float(self.scores.loc[self.scores["metric"] == "mase", "value"].mean())


@dataclass
class Outcome:
    """What happened in an attempt, whether it came to its end or not.

    Attributes:
        forecaster: The setting that was fitted: the best one, if there were several.
        watch: Started with the attempt.
        status: `completed`, `failed` or `killed`.
        seconds: How long the attempt took.
        trials: The settings that were compared; empty if there was only one.
        fits: The windows that were fitted, in order.
        fit_seconds: How long fitting them took.
        warnings: What statsmodels warned of.
        error: What ended the attempt early.
    """

    forecaster: Forecaster
    watch: Stopwatch = field(default_factory=Stopwatch)
    status: str = "running"
    seconds: Decimal = Decimal(0)
    trials: list[Trial] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    fit_seconds: Decimal = Decimal(0)
    warnings: list[WarningMessage] = field(default_factory=list)
    error: Exception | None = None


def execute(attempt: Attempt, windows: Sequence[Window], progress: Callable[[str], None]) -> Outcome:
    """Carry out an attempt; an error of its method becomes part of the outcome.

    Args:
        attempt: What to do.
        windows: The windows of all series, series by series, oldest cutoff first.
        progress: Called with the name of each series that is done.
    """
    outcome = Outcome(attempt.method)
    # One thread: the matrices are so small that more of them only wait for each other, and rounding would depend on their number.
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _fit(attempt, windows, progress, outcome)
            outcome.status = "completed"
        except IterationBudgetError as error:
            outcome.status, outcome.error = "killed", error
        except Exception as error:  # A tracker records whatever ends a run.
            outcome.status, outcome.error = "failed", error
    outcome.warnings = caught
    outcome.seconds = outcome.watch.seconds
    return outcome


def _fit(attempt: Attempt, windows: Sequence[Window], progress: Callable[[str], None], outcome: Outcome) -> None:
    if len(attempt.candidates) > 1:
        outcome.trials.extend(_try(candidate, windows) for candidate in attempt.candidates)
        outcome.forecaster = min(outcome.trials, key=lambda trial: trial.mase).forecaster
    fitting = Stopwatch()
    for fit in backtest.run(outcome.forecaster, windows):
        outcome.fits.append(fit)
        if fit.window.is_pending:
            progress(fit.window.series.unique_id)
    outcome.fit_seconds = fitting.seconds


def _try(forecaster: Forecaster, windows: Sequence[Window]) -> Trial:
    watch = Stopwatch()
    # The last fold is pending and the one before it is the test.
    last_validation = max(window.fold for window in windows) - 2
    # Settings are compared by their point forecasts, and intervals can cost more than those.
    validation = [replace(window, sample=replace(window.sample, levels=())) for window in windows if window.fold <= last_validation]
    rows = backtest.prediction_rows(list(backtest.run(forecaster, validation)))
    scores = accuracy.scores(rows, pd.Series("validation", index=rows.index))
    return Trial(forecaster, scores, watch, watch.seconds)
