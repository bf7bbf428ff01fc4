"""In-sample scales against utilsforecast, an independent implementation, and against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from utilsforecast import losses

from dagster_project.demo.in_sample_scale import Scales, scales


def sample_of(values: dict[str, list[float]], freq: str = "D") -> pd.DataFrame:
    """Observations of some series from 2024 on."""
    parts = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(ys), freq=freq), "y": ys})
        for name, ys in values.items()
    ]
    return pd.concat(parts, ignore_index=True).astype({"y": "float64"})


def at_last(sample: pd.DataFrame) -> pd.DataFrame:
    last = sample.groupby("unique_id")["ds"].max()
    return pd.DataFrame({"unique_id": last.index, "cutoff": last.to_numpy()})


def of_history(sample: pd.DataFrame, season_length: int | None = None, cutoffs: pd.DataFrame | None = None) -> Scales:
    return scales(at_last(sample) if cutoffs is None else cutoffs, sample, season_length, is_history=True, is_dated=True)


def of_file(sample: pd.DataFrame, cutoffs: pd.DataFrame | None = None, season_length: int | None = None) -> Scales:
    return scales(at_last(sample) if cutoffs is None else cutoffs, sample, season_length, is_history=False, is_dated=True)


def test_by_hand() -> None:
    # Differences over two steps: 5-1, 2-4, 9-5.
    found = of_history(sample_of({"a": [1, 4, 5, 2, 9]}), 2).frame.iloc[0]
    assert (found["scale_mae"], found["scale_mse"], found["season_length"]) == ((4 + 2 + 4) / 3, (16 + 4 + 16) / 3, 2)


@settings(max_examples=50, deadline=None)
@given(
    series=st.dictionaries(
        st.sampled_from("abc"),
        st.lists(st.one_of(st.integers(-10_000_000, 10_000_000).map(lambda number: number / 8), st.just(np.nan)), min_size=3, max_size=30),
        min_size=1,
    ),
    season=st.integers(1, 5),
    data=st.data(),
)
def test_scales_divide_errors_as_the_peer_does(series: dict[str, list[float]], season: int, data: st.DataObject) -> None:
    sample = sample_of(series)
    points = pd.DataFrame({"unique_id": list(series), "y": 3.0, "f": 10.0})
    shuffled = sample.iloc[data.draw(st.permutations(range(len(sample))))]
    found = of_history(shuffled, season).frame.set_index("unique_id")
    mase = losses.mase(points, ["f"], seasonality=season, train_df=sample).set_index("unique_id")["f"]
    rmsse = losses.rmsse(points, ["f"], seasonality=season, train_df=sample).set_index("unique_id")["f"]
    for name in series:
        # The peer says 0 where it has no scale.
        scale_mae, scale_mse = found["scale_mae"].to_dict()[name], found["scale_mse"].to_dict()[name]
        assert mase[name] == pytest.approx(np.nan_to_num(7.0 / scale_mae), rel=1e-9)
        assert rmsse[name] == pytest.approx(np.nan_to_num(np.sqrt(49.0 / scale_mse)), rel=1e-9)


def test_a_cutoff_sees_only_what_was_before_it() -> None:
    sample = sample_of({"a": [1, 2, 4, 8, 1000]})
    cutoffs = pd.DataFrame({"unique_id": "a", "cutoff": pd.to_datetime(["2024-01-03", "2024-01-04"])})
    assert of_history(sample, 1, cutoffs).frame["scale_mae"].tolist() == [(1 + 2) / 2, (1 + 2 + 4) / 3]


@pytest.mark.parametrize(
    ("freq", "season"),
    [
        *(("YE", 1), ("YS", 1), ("QE", 4), ("QS-FEB", 4), ("ME", 12), ("MS", 12), ("W", 52), ("W-MON", 52)),
        *(("D", 7), ("B", 5), ("h", 24), ("30min", 48), ("15min", 96), ("6h", 4)),
    ],
)
def test_the_season_follows_from_the_usual_step(freq: str, season: int) -> None:
    rng = np.random.default_rng(1)
    assert of_history(sample_of({"a": list(rng.normal(size=3 * season + 2))}, freq)).season_lengths == [season]


def test_series_of_several_frequencies_have_their_own_seasons() -> None:
    rng = np.random.default_rng(1)
    monthly, daily = sample_of({"m": list(rng.normal(size=30))}, "ME"), sample_of({"d": list(rng.normal(size=30))}, "D")
    assert of_history(pd.concat([monthly, daily], ignore_index=True)).season_lengths == [7, 12]


@pytest.mark.parametrize("freq", ["10D", "7h", "2YE"])
def test_a_season_that_nothing_says_is_not_guessed(freq: str) -> None:
    sample = sample_of({"a": [1.0, 5.0, 2.0, 8.0, 3.0] * 9}, freq)
    found = of_history(sample)
    assert found.known == 0
    assert found.missing == "nothing says how long a season of a is, --season-length N does"
    assert of_history(sample, 3).known == 1


def test_integer_times_say_no_season() -> None:
    sample = sample_of({"a": [1.0, 5.0, 2.0] * 9})
    assert scales(at_last(sample), sample, None, is_history=True, is_dated=False).known == 0


def test_what_a_file_shows_is_enough_from_two_seasons_on() -> None:
    sample = sample_of({"a": [1.0, 2, 3, 4, 5, 6, 8, 1, 2, 3, 4, 5, 6, 9, 2]})
    cutoffs = pd.DataFrame({"unique_id": "a", "cutoff": pd.to_datetime(["2024-01-13", "2024-01-14"])})
    found = of_file(sample, cutoffs)
    assert found.frame["scale_mae"].isna().tolist() == [True, False]
    assert found.frame["scale_mae"].iloc[1] == pytest.approx(1 / 7)
    assert found.missing == "a has 13 observations up to its cutoff 2024-01-13, fewer than two seasons of 7"


def test_a_gap_in_what_a_file_shows_begins_anew() -> None:
    sample = sample_of({"a": list(np.arange(40.0) ** 2)}, "ME")
    with_gap = sample.drop(index=[5])
    assert of_file(sample).frame["scale_mae"].iloc[0] == pytest.approx(np.mean([12 * (2 * n + 12) for n in range(28)]))
    assert of_file(with_gap).frame["scale_mae"].iloc[0] == pytest.approx(np.mean([12 * (2 * n + 12) for n in range(6, 28)]))
    assert of_file(sample.drop(index=[20])).missing == "a has 19 observations up to its cutoff 2027-04-30, fewer than two seasons of 12"


def test_weekends_are_no_gaps_of_business_days() -> None:
    assert of_file(sample_of({"a": list(np.arange(12.0) ** 2)}, "B")).known == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 1.0, 1.0, 1.0], "a repeats itself up to its cutoff 2024-01-04, or has values that are too large"),
        ([1e308, -1e308, 1e308], "a repeats itself up to its cutoff 2024-01-03, or has values that are too large"),
        ([1.0], "a has 1 observations up to its cutoff 2024-01-01, fewer than 1 and one more"),
    ],
)
def test_a_scale_that_cannot_divide_is_none_and_the_reason_is_told(values: list[float], words: str) -> None:
    found = of_history(sample_of({"a": values}), 1)
    assert found.frame[["scale_mae", "scale_mse", "season_length"]].isna().all(axis=None)
    assert found.missing == words


def test_without_observations_there_is_no_scale() -> None:
    found = of_file(sample_of({"a": [1.0]}).head(0), pd.DataFrame({"unique_id": ["a"], "cutoff": [pd.Timestamp("2024-01-05")]}))
    assert (found.known, found.season_lengths, found.missing) == (0, [], "there is no y")
    assert len(found.frame) == 1


def test_a_history_that_ends_before_the_cutoff_gives_none() -> None:
    sample = sample_of({"a": [1.0, 2.0, 4.0]})
    found = of_history(sample, 1, pd.DataFrame({"unique_id": ["a"], "cutoff": [pd.Timestamp("2024-01-05")]}))
    assert found.missing == "a has no y at its cutoff 2024-01-05"
