"""Forecast accuracy against utilsforecast, an independent implementation, on the same rows; the leaderboard against pandas.

Conventions: utilsforecast's smape divides by |f| + |y| without the factor 2 (0 to 1), so ours is twice its; its mase and rmsse compute the
scale from a training frame, ours take the scale that the writer recorded, so it is computed here from the same frame. It has no Winkler
score: ours is held against the quantile losses of both bounds, of which it is 2 / (1 - level) times the sum.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from tests.integration.marts.conftest import House

SEASON = 4
LEVELS = {80: 0.8, 90: 0.9}
SERIES = ("a", "b", "c")
CUTOFFS = 3
HORIZON = 5
TRAINING = 40
START = datetime(2025, 1, 1, tzinfo=UTC)
MODELS = {1: "SeasonalNaive", 2: "AutoETS", 3: "Theta"}


def day(position: int) -> datetime:
    return START + timedelta(days=position)


@pytest.fixture(scope="module")
def forecasts() -> pd.DataFrame:
    """Forecasts of three models in long shape: zero and negative values, actual values not known yet, and series that a model left out."""
    random = np.random.default_rng(7)
    rows, training = [], []
    for series in SERIES:
        values = random.normal(size=TRAINING + CUTOFFS * HORIZON) * 10
        values[TRAINING + 1] = 0.0
        for fold in range(CUTOFFS):
            end = TRAINING + fold * HORIZON
            difference = values[SEASON:end] - values[: end - SEASON]
            training.append(pd.DataFrame({"unique_id": f"{series}@{day(end - 1).replace(tzinfo=None)}", "y": values[:end]}))
            for step in range(1, HORIZON + 1):
                actual = values[end + step - 1]
                for model in MODELS:
                    if (model, series) == (3, "c"):
                        continue
                    predicted = 0.0 if actual == 0 else actual + random.normal() * 3
                    rows.append(
                        {
                            "model_id": model,
                            "series": series,
                            "cutoff": day(end - 1),
                            "horizon": step,
                            "ds": day(end - 1 + step),
                            "f": predicted,
                            "y": np.nan if (fold, step) == (CUTOFFS - 1, HORIZON) else actual,
                            **{f"f-lo-{level}": predicted - width for level, width in ((80, 2.0), (90, 3.0))},
                            **{f"f-hi-{level}": predicted + width for level, width in ((80, 2.5), (90, 3.5))},
                            "scale_mae": np.abs(difference).mean(),
                            "scale_mse": (difference**2).mean(),
                        }
                    )
    frame = pd.DataFrame(rows)
    frame.attrs["training"] = pd.concat(training).to_dict("list")
    return frame


@pytest.fixture(scope="module")
def marts(house: House, forecasts: pd.DataFrame) -> House:
    """A house that holds these forecasts: two rows per point, one per level."""
    predictions = [
        {
            "run_id": 1,
            "model_id": row["model_id"],
            "unique_id": row["series"],
            "prediction_date": row["ds"],
            "horizon": row["horizon"],
            "predicted_value": row["f"],
            "actual_value": None if np.isnan(row["y"]) else row["y"],
            "lower_bound": row[f"f-lo-{level}"],
            "upper_bound": row[f"f-hi-{level}"],
            "confidence_level": nominal,
            "metadata": {"cutoff": row["cutoff"].isoformat(), "scale_mae": row["scale_mae"], "scale_mse": row["scale_mse"]},
        }
        for row in forecasts.to_dict("records")
        for level, nominal in LEVELS.items()
    ]
    model = {"run_id": 1, "model_name": "m", "framework": "statsmodels", "model_config": {}, "model_file_path": "/dev/null"}
    house.fill(
        {
            "experiments": [{"experiment_id": 1, "experiment_name": "e"}],
            "runs": [{"run_id": 1, "experiment_id": 1, "run_name": "r", "run_fingerprint": "0" * 64, "start_time": START}],
            "models": [{"model_id": key, "model_type": kind, **model} for key, kind in MODELS.items()],
            "predictions": predictions,
        }
    )
    house.build()
    return house


def known(forecasts: pd.DataFrame, model: int) -> pd.DataFrame:
    """Evaluated points of a model in utilsforecast's shape, one `unique_id` per series and cutoff."""
    rows = forecasts[(forecasts["model_id"] == model) & forecasts["y"].notna()].copy()
    rows["unique_id"] = [f"{series}@{cutoff.replace(tzinfo=None)}" for series, cutoff in zip(rows["series"], rows["cutoff"], strict=True)]
    return rows


def mart_rows(house: House, mart: str, level: str, model: int, extra: str = "") -> pd.DataFrame:
    rows = house.warehouse(f"select * from analytics.{mart} where rollup_level = %s and model_id = %s {extra}", level, model)
    names = [
        name
        for (name,) in house.warehouse(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            f"analytics.{mart}",
        )
    ]
    frame = pd.DataFrame(rows, columns=names)
    frame["unique_id"] = [f"{series}@{cutoff}" for series, cutoff in zip(frame["unique_id"], frame["cutoff_at"], strict=True)]
    return frame.sort_values("unique_id", ignore_index=True)


@pytest.mark.parametrize("model", MODELS)
def test_point_metrics_equal_the_peer(marts: House, forecasts: pd.DataFrame, model: int) -> None:
    rows = known(forecasts, model)
    ours = mart_rows(marts, "forecast_accuracy", "cutoff", model, "and evaluated_points > 0")
    for name, factor in {"mae": 1, "rmse": 1, "bias": 1, "smape": 2}.items():
        peer = getattr(losses, name)(rows, ["f"]).sort_values("unique_id", ignore_index=True)
        assert list(peer["unique_id"]) == list(ours["unique_id"])
        np.testing.assert_allclose(ours[name], peer["f"] * factor, rtol=1e-9, atol=1e-12)
    training = pd.DataFrame(forecasts.attrs["training"])
    training = training[training["unique_id"].isin(rows["unique_id"])]
    for scaled in (losses.mase, losses.rmsse):
        peer = scaled(rows, ["f"], seasonality=SEASON, train_df=training).sort_values("unique_id", ignore_index=True)
        np.testing.assert_allclose(ours[scaled.__name__], peer["f"], rtol=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_interval_metrics_equal_the_peer(marts: House, forecasts: pd.DataFrame, level: int) -> None:
    alpha = 1 - LEVELS[level]
    rows = known(forecasts, 2)
    ours = mart_rows(marts, "forecast_interval_accuracy", "cutoff", 2, f"and interval_points > 0 and confidence_level = {LEVELS[level]}")
    bounds = [
        losses.quantile_loss(rows, {"f": f"f-{side}-{level}"}, q=q).sort_values("unique_id", ignore_index=True)["f"]
        for side, q in (("lo", alpha / 2), ("hi", 1 - alpha / 2))
    ]
    coverage = losses.coverage(rows, ["f"], level).sort_values("unique_id", ignore_index=True)
    np.testing.assert_allclose(ours["interval_coverage"], coverage["f"])
    np.testing.assert_allclose(ours["pinball_loss"], (bounds[0] + bounds[1]) / 2)
    np.testing.assert_allclose(ours["winkler_score"], 2 / alpha * (bounds[0] + bounds[1]))


def test_a_point_counts_once_and_the_widest_level_stands_beside_it(marts: House, forecasts: pd.DataFrame) -> None:
    ours = mart_rows(marts, "forecast_accuracy", "model", 2).iloc[0]
    assert ours["evaluated_points"] == len(known(forecasts, 2))
    assert ours["confidence_level"] == 0.9
    assert ours["duplicate_rows"] == 0


def test_what_is_missing_is_counted(marts: House, forecasts: pd.DataFrame) -> None:
    points = len(SERIES) * CUTOFFS * HORIZON
    ours = mart_rows(marts, "forecast_accuracy", "model", 3).iloc[0]
    assert ours["expected_points"] == points
    assert ours["missing_prediction_points"] == CUTOFFS * HORIZON
    assert ours["missing_actual_points"] == len(SERIES) - 1
    assert ours["evaluated_points"] == len(known(forecasts, 3))


def test_scaled_and_relative_errors(marts: House, forecasts: pd.DataFrame) -> None:
    rows, baseline = known(forecasts, 3), known(forecasts, 1)
    both = rows.merge(baseline, on=["series", "cutoff", "horizon"], suffixes=("", "_baseline"))
    error, baseline_error = both["f"] - both["y"], both["f_baseline"] - both["y_baseline"]
    ours = mart_rows(marts, "forecast_accuracy", "model", 3).iloc[0]
    expected = {
        "mase": (error.abs() / both["scale_mae"]).mean(),
        "rmsse": np.sqrt((error**2 / both["scale_mse"]).mean()),
        "wape": error.abs().sum() / both["y"].abs().sum(),
        "relative_mae": error.abs().sum() / baseline_error.abs().sum(),
        "relative_rmse": np.sqrt((error**2).sum() / (baseline_error**2).sum()),
    }
    assert {name: ours[name] for name in expected} == pytest.approx(expected)


def test_leaderboard_compares_over_what_all_models_have(marts: House, forecasts: pd.DataFrame) -> None:
    common = forecasts[forecasts["y"].notna() & (forecasts["series"] != "c")]
    mae = (common["f"] - common["y"]).abs().groupby(common["model_id"]).mean()
    expected = {model: (int(mae.rank()[model]), mae[model], 1 - mae[model] / mae[1], len(common) // 3, CUTOFFS * 2) for model in MODELS}
    rows = marts.warehouse("select model_id, model_rank, mae, skill, common_points, common_pairs from analytics.model_leaderboard")
    assert {model: values for model, *values in rows} == {model: pytest.approx(values) for model, values in expected.items()}


def test_values_that_are_no_numbers_are_counted_and_spoil_nothing(marts: House, forecasts: pd.DataFrame) -> None:
    for horizon, value in ((1, "NaN"), (2, "Infinity"), (3, "1e300")):
        marts.source(
            "update predictions set predicted_value = %s where model_id = 2 and unique_id = 'a' and horizon = %s and prediction_date = %s",
            value,
            horizon,
            day(TRAINING - 1 + horizon),
        )
    marts.sync()
    marts.build()
    ours: Any = mart_rows(marts, "forecast_accuracy", "model", 2).iloc[0]
    assert ours["unusable_points"] == 3
    assert ours["evaluated_points"] == len(known(forecasts, 2)) - 3
    assert np.isfinite(ours["mae"])
