"""The real series against values read off the csv files, and the methods on samples whose forecasts are known."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.arima import model as arima
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from dagster_project.demo import backtest
from dagster_project.demo.attempts import Attempt, execute
from dagster_project.demo.backtest import Plan
from dagster_project.demo.forecasters import ARIMA, ETS, AutoReg, Forecaster, IterationBudgetError, Sample, SeasonalNaive, Theta
from dagster_project.demo.series import CATALOG, Series, UnknownNameError, selected


def series(name: str) -> Series:
    return selected([name])[0]


@pytest.mark.parametrize(
    ("name", "time", "value"),
    [
        ("co2", "1958-03-01", 316.1),
        ("el_nino", "1950-01-01", 23.11),
        ("el_nino", "2010-12-01", 22.07),
        ("electrical_equipment", "2016-05-01", 97.86),
        ("real_gdp", "1959-01-01", 2710.349),
        ("real_consumption", "2009-07-01", 9256.0),
        ("real_investment", "1959-04-01", 310.859),
        ("nile", "1970-01-01", 740.0),
        ("sunspots", "2008-01-01", 2.9),
    ],
)
def test_values_are_those_of_the_files(name: str, time: str, value: float) -> None:
    assert series(name).values.loc[pd.Timestamp(time)] == pytest.approx(value)


@pytest.mark.parametrize("one", CATALOG, ids=lambda one: one.unique_id)
def test_series_have_every_period_once(one: Series) -> None:
    index = one.values.index
    assert index.tolist() == pd.date_range(index[0], index[-1], freq=one.frequency).tolist()


def test_weeks_without_a_measurement_leave_months_missing() -> None:
    assert series("co2").values.isna().sum() == 5


def test_unknown_names_are_listed() -> None:
    with pytest.raises(UnknownNameError, match="no series named mars; choose from co2, el_nino"):
        selected(["nile", "mars"])


def test_windows_see_no_future() -> None:
    windows = list(backtest.windows(series("nile"), Plan(horizon=6, cutoffs=3, training_window=50)))
    assert [window.cutoff.year for window in windows] == [1952, 1958, 1964]
    assert [window.is_pending for window in windows] == [False, False, True]
    for window in windows:
        assert len(window.sample.values) == 50
        assert window.sample.values.iloc[-1] == series("nile").values.loc[window.cutoff]
        assert window.future.index[0].year == window.cutoff.year + 1


def test_seasonal_naive_by_hand() -> None:
    forecast = SeasonalNaive().forecast(Sample(pd.Series([1.0, 2.0, 3.0, 6.0]), 2, 5, (0.8,)))
    assert forecast.mean.tolist() == [3.0, 6.0, 3.0, 6.0, 3.0]
    sigma = np.sqrt((2**2 + 4**2) / 2)
    half = NormalDist().inv_cdf(0.9) * sigma
    assert forecast.intervals[0.8][1] - forecast.mean == pytest.approx(half * np.sqrt([1, 1, 2, 2, 3]))
    assert forecast.mean - forecast.intervals[0.8][0] == pytest.approx(half * np.sqrt([1, 1, 2, 2, 3]))


@pytest.mark.parametrize("forecaster", [SeasonalNaive(), ETS(), Theta(), ARIMA(), AutoReg()], ids=lambda one: one.model_type)
def test_methods_follow_a_seasonal_pattern_and_nest_their_intervals(forecaster: Forecaster) -> None:
    noise = np.random.default_rng(7).normal(0, 0.1, 80)
    values = pd.Series(np.tile([10.0, 20.0, 30.0, 40.0], 20) + noise)
    forecast = forecaster.forecast(Sample(values, 4, 8, (0.8, 0.9)))
    assert forecast.mean == pytest.approx(np.tile([10.0, 20.0, 30.0, 40.0], 2), abs=0.6)
    (inner_low, inner_high), (outer_low, outer_high) = forecast.intervals[0.8], forecast.intervals[0.9]
    assert (outer_low < inner_low).all()
    assert (inner_low < forecast.mean).all()
    assert (forecast.mean < inner_high).all()
    assert (inner_high < outer_high).all()


def test_the_steps_end_at_the_likelihood_that_statsmodels_reports() -> None:
    sample = Sample(series("nile").values.reset_index(drop=True), 1, 1, ())
    by_ets = ETSModel(sample.values, trend="add", damped_trend=True, initialization_method="heuristic").fit(disp=False).llf
    by_arima = arima.ARIMA(sample.values, order=(1, 1, 1)).fit().llf
    assert ETS().forecast(sample).log_likelihoods[-1] == pytest.approx(by_ets, abs=1e-6)
    assert ARIMA().forecast(sample).log_likelihoods[-1] == pytest.approx(by_arima, abs=1e-6)


def test_a_fit_is_stopped_at_its_budget() -> None:
    sample = Sample(series("sunspots").values.reset_index(drop=True), 1, 1, ())
    needed = len(ETS().forecast(sample).log_likelihoods)
    assert len(ETS(iteration_budget=needed).forecast(sample).log_likelihoods) == needed
    with pytest.raises(IterationBudgetError, match=f"stopped after {needed - 1} optimizer iterations") as caught:
        ETS(iteration_budget=needed - 1).forecast(sample)
    assert len(caught.value.log_likelihoods) == needed - 1


def test_what_ends_a_run_is_its_outcome() -> None:
    windows = list(backtest.windows(series("sunspots"), Plan(6, cutoffs=3)))
    failed = execute(Attempt("multiplicative", (ETS(error="mul"),)), windows, lambda _: None)
    assert (failed.status, str(failed.error)) == (
        "failed",
        "endog must be strictly positive when using multiplicative error, trend or seasonal components.",
    )
    assert execute(Attempt("short", (ETS(iteration_budget=1),)), windows, lambda _: None).status == "killed"


def test_the_setting_with_the_lowest_validation_mase_is_chosen() -> None:
    windows = list(backtest.windows(series("nile"), Plan(6, cutoffs=4)))
    outcome = execute(Attempt("theta", (Theta(1.0), Theta(3.0))), windows, lambda _: None)
    assert outcome.status == "completed"
    assert outcome.forecaster == min(outcome.trials, key=lambda trial: trial.mase).forecaster
    assert all(set(trial.scores["fold"]) == {1, 2} for trial in outcome.trials)
