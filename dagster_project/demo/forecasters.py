"""The forecasting methods of the demo: four of statsmodels behind one call, and a seasonal naive baseline of our own.

Belongs here: fitting one method to one training sample. Does not belong here: choosing samples (`backtest`) and judging forecasts
(`accuracy`). Every method gives the same numbers for the same sample: what has to be simulated starts from a fixed seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels
from statsmodels.tsa.ar_model import AutoReg as AutoRegModel
from statsmodels.tsa.arima import model as arima
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

Array = npt.NDArray[np.float64]
Intervals = Mapping[float, tuple[Array, Array]]


class IterationBudgetError(Exception):
    """A fit needed more optimizer iterations than it was given and was stopped."""

    def __init__(self, budget: int, log_likelihoods: Sequence[float]) -> None:
        super().__init__(f"stopped after {budget} optimizer iterations without convergence, the budget of the run")
        self.log_likelihoods = tuple(log_likelihoods)


@dataclass(frozen=True)
class Forecast:
    """What one fit gave.

    Attributes:
        mean: Point forecasts, one per step.
        intervals: Lower and upper bounds, one per step, by nominal level (0.8 is 80%).
        parameters: Fitted parameters by name.
        log_likelihoods: Log-likelihood after each optimizer iteration; empty where the fit does not iterate.
    """

    mean: Array
    intervals: Intervals
    parameters: Mapping[str, float]
    log_likelihoods: tuple[float, ...] = ()


@dataclass(frozen=True)
class Sample:
    """What a method may see: the past, and how far to look ahead.

    Attributes:
        values: Training observations in time order, without gaps.
        season_length: Observations per season; 1 where there is none.
        horizon: Steps to forecast.
        levels: Nominal levels of the intervals, as fractions.
    """

    values: pd.Series
    season_length: int
    horizon: int
    levels: tuple[float, ...]

    @property
    def is_seasonal(self) -> bool:
        """Whether there is a season at all."""
        return self.season_length > 1

    @property
    def steps(self) -> tuple[int, int]:
        """First and last position to forecast, counted from the start of the sample."""
        return len(self.values), len(self.values) + self.horizon - 1


@dataclass(frozen=True)
class Forecaster:
    """A method with its settings; the fields are the hyperparameters."""

    framework: ClassVar[str] = "statsmodels"
    framework_version: ClassVar[str] = statsmodels.__version__

    @property
    def model_type(self) -> str:
        """Name of the method, the same in every run."""
        return type(self).__name__

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Settings by name."""
        return asdict(self)

    def forecast(self, sample: Sample) -> Forecast:
        """Fit to a sample and forecast its horizon.

        Raises:
            IterationBudgetError: The fit was stopped at its iteration budget.
            ValueError: The method cannot be fitted to such data.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class SeasonalNaive(Forecaster):
    """Repeats the last season; normal intervals.

    Their width comes from the changes from season to season and grows with the root of the seasons ahead.
    """

    framework: ClassVar[str] = "numpy"
    framework_version: ClassVar[str] = np.__version__

    def forecast(self, sample: Sample) -> Forecast:
        """Repeat the last season."""
        values = sample.values.to_numpy(dtype="float64")
        steps = np.arange(sample.horizon)
        mean = values[-sample.season_length :][steps % sample.season_length]
        changes = values[sample.season_length :] - values[: -sample.season_length]
        sigma = float(np.sqrt(np.mean(changes**2)))
        spread = sigma * np.sqrt(steps // sample.season_length + 1)
        intervals = {level: (mean - _quantile(level) * spread, mean + _quantile(level) * spread) for level in sample.levels}
        return Forecast(mean, intervals, {"sigma": sigma})


@dataclass(frozen=True)
class ETS(Forecaster):
    """Exponential smoothing in state space form; additive season where there is one."""

    error: str = "add"
    trend: str = "add"
    damped_trend: bool = True
    initialization: str = "heuristic"
    iteration_budget: int = 1000

    def forecast(self, sample: Sample) -> Forecast:
        """Fit by maximum likelihood."""
        watch = _Watch(self.iteration_budget, len(sample.values))
        model = ETSModel(
            sample.values,
            error=self.error,
            trend=self.trend,
            damped_trend=self.damped_trend,
            initialization_method=self.initialization,
            seasonal="add" if sample.is_seasonal else None,
            seasonal_periods=sample.season_length if sample.is_seasonal else None,
        )
        fit = model.fit(disp=False, maxiter=self.iteration_budget + 1, callback=watch.callback)
        first, last = sample.steps
        prediction = fit.get_prediction(start=first, end=last, rng=np.random.default_rng(0))
        intervals = {level: _bounds(prediction.pred_int(alpha=1 - level)) for level in sample.levels}
        parameters = _parameters(model.param_names, fit.params)
        return Forecast(_array(prediction.predicted_mean), intervals, parameters, tuple(watch.log_likelihoods))


@dataclass(frozen=True)
class Theta(Forecaster):
    """The theta method: a trend line and exponential smoothing, weighted by theta, on additively deseasonalized data."""

    theta: float = 2.0

    def forecast(self, sample: Sample) -> Forecast:
        """Fit trend and smoothing in two steps."""
        model = ThetaModel(sample.values, period=sample.season_length, deseasonalize=sample.is_seasonal, use_test=False, method="additive")
        fit = model.fit()
        intervals = {level: _bounds(fit.prediction_intervals(sample.horizon, theta=self.theta, alpha=1 - level)) for level in sample.levels}
        mean = _array(fit.forecast(sample.horizon, theta=self.theta))
        return Forecast(mean, intervals, _parameters(fit.params.index, fit.params))


@dataclass(frozen=True)
class ARIMA(Forecaster):
    """Seasonal ARIMA by maximum likelihood; the seasonal part is left out where there is no season."""

    order: tuple[int, int, int] = (1, 1, 1)
    seasonal_order: tuple[int, int, int] = (0, 1, 1)
    iteration_budget: int = 1000

    def forecast(self, sample: Sample) -> Forecast:
        """Fit by maximum likelihood with the Kalman filter."""
        watch = _Watch(self.iteration_budget, len(sample.values))
        seasonal_order = (*self.seasonal_order, sample.season_length) if sample.is_seasonal else (0, 0, 0, 0)
        model = arima.ARIMA(sample.values, order=self.order, seasonal_order=seasonal_order)
        fit = model.fit(method_kwargs={"disp": 0, "maxiter": self.iteration_budget + 1, "callback": watch.callback})
        prediction = fit.get_forecast(sample.horizon)
        intervals = {level: _bounds(prediction.conf_int(alpha=1 - level)) for level in sample.levels}
        parameters = _parameters(model.param_names, fit.params)
        return Forecast(_array(prediction.predicted_mean), intervals, parameters, tuple(watch.log_likelihoods))


@dataclass(frozen=True)
class AutoReg(Forecaster):
    """Autoregression by least squares, with a trend line and seasonal dummies where there is a season."""

    lags: int = 12

    def forecast(self, sample: Sample) -> Forecast:
        """Fit by conditional least squares."""
        period = sample.season_length if sample.is_seasonal else None
        model = AutoRegModel(sample.values, lags=self.lags, trend="ct", seasonal=sample.is_seasonal, period=period)
        fit = model.fit()
        first, last = sample.steps
        prediction = fit.get_prediction(start=first, end=last)
        intervals = {level: _bounds(prediction.conf_int(alpha=1 - level)) for level in sample.levels}
        return Forecast(_array(prediction.predicted_mean), intervals, _parameters(fit.params.index, fit.params))


class _Iteration(Protocol):
    """What scipy tells about an iteration; `fun` is the objective."""

    fun: float


@dataclass
class _Watch:
    """Counts optimizer iterations, keeps the log-likelihood of each, and stops a fit that exceeds its budget."""

    budget: int
    observations: int
    log_likelihoods: list[float] = field(default_factory=list)

    @property
    def callback(self) -> Callable[[_Iteration], None]:
        # scipy hands over the objective only to a callback whose one parameter has exactly this name.
        def after_iteration(intermediate_result: _Iteration) -> None:
            if len(self.log_likelihoods) == self.budget:
                raise IterationBudgetError(self.budget, self.log_likelihoods)
            # statsmodels minimises the negative log-likelihood per observation.
            self.log_likelihoods.append(-float(intermediate_result.fun) * self.observations)

        return after_iteration


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _array(values: pd.Series) -> Array:
    return np.asarray(values, dtype="float64")


def _bounds(frame: pd.DataFrame) -> tuple[Array, Array]:
    return _array(frame.iloc[:, 0]), _array(frame.iloc[:, 1])


def _parameters(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in zip(names, np.asarray(values), strict=True)}
