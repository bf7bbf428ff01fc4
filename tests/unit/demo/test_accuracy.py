"""Metrics against sums written out by hand, and the split of cutoffs."""

import math

import numpy as np
import pandas as pd
import pytest

from dagster_project.demo import accuracy


def rows(actuals: dict[int, list[float]], predicted: float = 10.0, **columns: object) -> pd.DataFrame:
    """Prediction rows of one series: actual values by day of the cutoff."""
    return pd.DataFrame(
        [
            {
                "unique_id": "a",
                "cutoff": pd.Timestamp(2024, 1, day),
                "ds": pd.Timestamp(2024, 1, day + step),
                "horizon": step,
                "predicted": predicted,
                "actual": actual,
                "level": np.nan,
                "lower": np.nan,
                "upper": np.nan,
                **columns,
            }
            for day, values in actuals.items()
            for step, actual in enumerate(values, start=1)
        ]
    )


def values(frame: pd.DataFrame) -> dict[str, float]:
    scores = accuracy.scores(frame, accuracy.splits(frame))
    return dict(zip(scores["metric"], scores["value"], strict=True))


def test_metrics_by_hand() -> None:
    found = values(rows({1: [8.0, 14.0]}, scale_mae=2.0))
    assert found["mae"] == (2 + 4) / 2
    assert found["rmse"] == pytest.approx(math.sqrt((4 + 16) / 2))
    assert found["smape"] == pytest.approx((2 * 2 / 18 + 2 * 4 / 24) / 2)
    assert found["mase"] == (1 + 2) / 2


def test_smape_of_zero_forecasts_of_zeros_is_zero_and_of_opposites_is_two() -> None:
    assert values(rows({1: [0.0]}, predicted=0.0))["smape"] == 0
    assert values(rows({1: [-5.0]}, predicted=5.0))["smape"] == 2


def test_mase_is_left_out_where_its_scale_is_unknown() -> None:
    assert "mase" not in values(rows({1: [1.0]}))


def test_coverage_counts_bounds_as_inside_and_each_level_by_itself() -> None:
    narrow = rows({1: [8.0, 9.0, 12.0, 13.0]}, level=0.8, lower=9.0, upper=12.0)
    wide = rows({1: [8.0, 9.0, 12.0, 13.0]}, level=0.9, lower=8.0, upper=12.0)
    found = values(pd.concat([narrow, wide], ignore_index=True))
    assert found["coverage_80"] == 2 / 4
    assert found["coverage_90"] == 3 / 4


def test_intervals_do_not_count_a_point_twice() -> None:
    once = rows({1: [8.0], 2: [14.0, 14.0]}, level=0.8, lower=0.0, upper=20.0)
    twice = pd.concat([once, once.assign(level=0.9)], ignore_index=True)
    assert {key: value for key, value in values(twice).items() if key != "coverage_90"} == values(once)


def test_the_last_known_cutoff_is_the_test() -> None:
    frame = rows({1: [1.0], 2: [2.0], 3: [3.0, math.nan], 4: [math.nan]})
    by_day = dict(zip(frame["cutoff"].dt.day, accuracy.splits(frame), strict=True))
    assert by_day == {1: "validation", 2: "validation", 3: "test", 4: "production"}
    assert sorted(set(zip(*(accuracy.scores(frame, accuracy.splits(frame))[c] for c in ("split", "fold")), strict=True))) == [
        ("test", 3),
        ("validation", 1),
        ("validation", 2),
    ]


def test_without_actual_values_there_are_no_scores() -> None:
    frame = rows({1: [math.nan]})
    assert set(accuracy.splits(frame)) == {"production"}
    assert accuracy.scores(frame, accuracy.splits(frame)).empty


def test_every_metric_has_a_convention() -> None:
    assert all(accuracy.convention(name) for name in ("mae", "rmse", "smape", "mase", "coverage_80"))
