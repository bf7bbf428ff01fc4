"""From a file of forecasts to the marts: mase and rmsse as the peer computes them, and levels with decimals as they are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from dagster_project.demo.backtest_import import Choices, read_backtest, track_backtest
from tests.integration.marts.conftest import House

CASES = Path(__file__).parents[2] / "cases"
SEASON = 12


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """Five years of two monthly series."""
    random = np.random.default_rng(11)
    days = pd.date_range("2021-01-31", periods=60, freq="ME")
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": days, "y": random.normal(100, 20, 60)}) for name in ("NA", "b")])


@pytest.fixture(scope="module")
def forecasts(history: pd.DataFrame) -> pd.DataFrame:
    """Forecasts of their last two half-years, with intervals of 97.5% and 99.9%."""
    random = np.random.default_rng(12)
    parts = [
        part.iloc[end : end + 6].assign(cutoff=part["ds"].iloc[end - 1]) for _, part in history.groupby("unique_id") for end in (48, 54)
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["Theta"] = frame["y"] + random.normal(0, 10, len(frame))
    for level, width in ((97.5, 15), (99.9, 30)):
        frame[f"Theta-lo-{level}"], frame[f"Theta-hi-{level}"] = frame["Theta"] - width, frame["Theta"] + width
    return frame


@pytest.fixture(scope="module")
def marts(house: House, history: pd.DataFrame, forecasts: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house that has imported these, and values that are too large."""
    folder = tmp_path_factory.mktemp("files")
    forecasts.to_csv(folder / "forecasts.csv.gz", index=False)
    history.to_csv(folder / "history.csv", index=False, sep=";", decimal=",")
    house.fill({})
    track_backtest(house.source_url, read_backtest(folder / "forecasts.csv.gz", Choices(history=folder / "history.csv")), "mine")
    track_backtest(house.source_url, read_backtest(CASES / "import_huge.csv"), "huge")
    house.sync()
    house.build()
    return house


def test_scaled_errors_equal_the_peer(marts: House, history: pd.DataFrame, forecasts: pd.DataFrame) -> None:
    rows = marts.warehouse(
        "select unique_id, cutoff_at, mase, rmsse from analytics.forecast_accuracy where rollup_level = 'cutoff' and mase is not null"
    )
    ours = {(name, cutoff): (mase, rmsse) for name, cutoff, mase, rmsse in rows}
    assert len(ours) == 4
    for (name, cutoff), part in forecasts.groupby(["unique_id", "cutoff"]):
        training = history[(history["unique_id"] == name) & (history["ds"] <= cutoff)]
        peer = [metric(part, ["Theta"], SEASON, training)["Theta"].iloc[0] for metric in (losses.mase, losses.rmsse)]
        assert ours[name, cutoff] == pytest.approx(peer, rel=1e-9)


def test_levels_keep_their_decimals(marts: House, forecasts: pd.DataFrame) -> None:
    rows = marts.warehouse(
        "select confidence_level, interval_coverage from analytics.forecast_interval_accuracy where rollup_level = 'model' order by 1"
    )
    inside = {
        level: forecasts["y"].between(forecasts[f"Theta-lo-{level}"], forecasts[f"Theta-hi-{level}"]).mean() for level in (97.5, 99.9)
    }
    assert rows == [(pytest.approx(level / 100), share) for level, share in inside.items()]


def test_values_that_are_too_large_hold_back_themselves_only(marts: House) -> None:
    counted = marts.warehouse(
        "select sum(unusable_points), sum(evaluated_points) from analytics.forecast_accuracy where rollup_level = 'model'"
    )
    assert counted == [(2, 24)]
    assert marts.source("select count(*) from metrics where abs(metric_value) >= 1e100") == [(0,)]
