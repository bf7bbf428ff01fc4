"""The frame reader: columns found by name, times, horizons, and one clear error for each thing that can be wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.demo.backtest_files import BacktestFileError, model_columns, read_backtest

FRAME = pd.DataFrame(
    {
        "unique_id": ["a", "a", "a", "a"],
        "ds": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04"]),
        "cutoff": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"]),
        "y": [1.0, 2.0, 2.0, np.nan],
        "Naive": [1.5, 1.5, 2.5, 2.5],
        "Naive-lo-90": [0.5, 0.5, 1.5, 1.5],
        "Naive-hi-90": [2.5, 2.5, 3.5, 3.5],
    }
)


def csv(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "backtest.csv"
    frame.to_csv(path, index=False)
    return path


def parquet(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "backtest.parquet"
    frame.to_parquet(path, index=False)
    return path


model_names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}(-[A-Za-z][A-Za-z0-9]{0,5}){0,2}", fullmatch=True).filter(
    lambda name: name not in ("unique_id", "ds", "cutoff", "y") and not name.endswith("-median")
)
models = st.dictionaries(
    model_names, st.tuples(st.sets(st.integers(1, 99), max_size=3), st.sampled_from(["point", "median", "both"])), min_size=1, max_size=4
)


@given(models=models, has_y=st.booleans(), data=st.data())
def test_models_are_found_whatever_the_order_of_columns(models: dict[str, tuple[set[int], str]], has_y: bool, data: st.DataObject) -> None:
    columns = ["unique_id", "ds", "cutoff", *(["y"] if has_y else [])]
    for model, (levels, kind) in models.items():
        columns += [model] if kind != "median" else []
        columns += [f"{model}-median"] if kind != "point" else []
        columns += [f"{model}-{side}-{level}" for level in levels for side in ("lo", "hi")]
    found = model_columns(data.draw(st.permutations(columns)))
    assert {model: (part.point, dict(part.bounds)) for model, part in found.items()} == {
        model: (
            f"{model}-median" if kind == "median" else model,
            {level / 100: (f"{model}-lo-{level}", f"{model}-hi-{level}") for level in levels},
        )
        for model, (levels, kind) in models.items()
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(order=st.permutations(list(FRAME.columns)), write=st.sampled_from([csv, parquet]))
def test_a_file_gives_the_same_rows_in_any_column_order_and_format(
    tmp_path: Path, order: list[str], write: Callable[[Path, pd.DataFrame], Path]
) -> None:
    content = read_backtest(write(tmp_path, FRAME[order]))
    assert content.skipped == 0
    rows = content.models["Naive"]
    assert rows["unique_id"].tolist() == ["a"] * 4
    assert rows["ds"].tolist() == FRAME["ds"].tolist()
    assert rows["cutoff"].tolist() == FRAME["cutoff"].tolist()
    assert rows["horizon"].tolist() == [1, 2, 1, 2]
    assert rows["predicted"].tolist() == [1.5, 1.5, 2.5, 2.5]
    assert rows["actual"].isna().tolist() == [False, False, False, True]
    assert rows["level"].tolist() == [0.9] * 4
    assert rows["lower"].tolist() == [0.5, 0.5, 1.5, 1.5]
    assert rows["upper"].tolist() == [2.5, 2.5, 3.5, 3.5]


def test_levels_give_one_row_each(tmp_path: Path) -> None:
    frame = FRAME.assign(**{"Naive-lo-80": 1.0, "Naive-hi-80": 2.0})
    rows = read_backtest(csv(tmp_path, frame)).models["Naive"]
    assert rows.groupby("level").size().to_dict() == {0.8: 4, 0.9: 4}


def test_a_model_without_intervals_has_one_row_without_a_level(tmp_path: Path) -> None:
    rows = read_backtest(csv(tmp_path, FRAME[["unique_id", "ds", "cutoff", "Naive"]])).models["Naive"]
    assert rows[["level", "lower", "upper", "actual"]].isna().all(axis=None)
    assert len(rows) == 4


@pytest.mark.parametrize("write", [csv, parquet])
def test_integer_ids_and_times(tmp_path: Path, write: Callable[[Path, pd.DataFrame], Path]) -> None:
    frame = FRAME.assign(unique_id=7, ds=[11, 12, 12, 13], cutoff=[10, 10, 11, 11])
    rows = read_backtest(write(tmp_path, frame)).models["Naive"]
    assert rows["unique_id"].tolist() == ["7"] * 4
    assert rows["ds"].tolist() == [pd.Timestamp(1970, 1, day + 1) for day in (11, 12, 12, 13)]
    assert rows["cutoff_integer"].tolist() == [10, 10, 11, 11]
    assert rows["ds_integer"].tolist() == [11, 12, 12, 13]


def test_ids_of_digits_in_csv_keep_their_zeros(tmp_path: Path) -> None:
    assert read_backtest(csv(tmp_path, FRAME.assign(unique_id="007"))).models["Naive"]["unique_id"].unique().tolist() == ["007"]


def test_an_id_in_the_index_of_parquet_is_found(tmp_path: Path) -> None:
    path = tmp_path / "indexed.parquet"
    FRAME.set_index("unique_id").to_parquet(path)
    assert read_backtest(path).models["Naive"]["unique_id"].tolist() == ["a"] * 4


def test_an_unnamed_index_column_of_csv_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "indexed.csv"
    FRAME.to_csv(path)
    assert list(read_backtest(path).models) == ["Naive"]


def test_times_with_a_zone_are_converted_to_utc(tmp_path: Path) -> None:
    zoned = FRAME.assign(ds=FRAME["ds"].dt.tz_localize("Asia/Tokyo"), cutoff=FRAME["cutoff"].dt.tz_localize("Asia/Tokyo"))
    rows = read_backtest(parquet(tmp_path, zoned)).models["Naive"]
    assert rows["ds"].iloc[0] == pd.Timestamp("2024-01-01 15:00")


def test_a_missing_row_does_not_shift_the_horizons_after_it(tmp_path: Path) -> None:
    with_gap = FRAME.drop(index=2)
    assert read_backtest(csv(tmp_path, with_gap)).models["Naive"]["horizon"].tolist() == [1, 2, 2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(cutoffs=st.sets(st.integers(0, 30), min_size=1, max_size=4), horizon=st.integers(1, 5), data=st.data())
def test_horizons_count_the_steps_of_a_regular_series(tmp_path: Path, cutoffs: set[int], horizon: int, data: st.DataObject) -> None:
    frame = pd.DataFrame([("s", cutoff + step, cutoff, 1.0) for cutoff in cutoffs for step in range(1, horizon + 1)])
    frame.columns = pd.Index(["unique_id", "ds", "cutoff", "M"])
    shuffled = frame.iloc[data.draw(st.permutations(range(len(frame))))]
    rows = read_backtest(parquet(tmp_path, shuffled)).models["M"]
    # Time points that no row of the file has are unknown to it, so the oracle counts those that some row has.
    points = set(frame["ds"]) | set(frame["cutoff"])
    assert rows["horizon"].tolist() == [
        sum(c < point <= d for point in points) for d, c in zip(shuffled["ds"], shuffled["cutoff"], strict=True)
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_forecasts_that_are_no_finite_number_are_skipped_and_counted(tmp_path: Path, value: float) -> None:
    content = read_backtest(csv(tmp_path, FRAME.assign(Naive=[1.0, value, 2.0, 3.0])))
    assert content.skipped == 1
    assert content.models["Naive"]["predicted"].tolist() == [1.0, 2.0, 3.0]


def test_an_interval_with_one_bound_has_none(tmp_path: Path) -> None:
    rows = read_backtest(csv(tmp_path, FRAME.assign(**{"Naive-lo-90": [np.nan, 0.5, 1.5, 1.5]}))).models["Naive"]
    assert rows[["lower", "upper"]].isna().sum().tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns=["ds", "cutoff"]), "columns ds, cutoff are missing; found unique_id, y, Naive"),
        (lambda f: f.drop(columns="Naive-hi-90"), "Naive-lo-90 has no counterpart"),
        (lambda f: f.drop(columns="Naive-lo-90"), "Naive-hi-90 has no counterpart"),
        (lambda f: f.drop(columns="Naive"), "intervals of Naive, but neither Naive nor Naive-median"),
        (lambda f: f[["unique_id", "ds", "cutoff", "y"]], "no column with forecasts"),
        (lambda f: f.assign(**{"Naive-lo-97.5": 0.0, "Naive-hi-97.5": 9.0}), "level 97.5 of column Naive-lo-97.5 would be stored rounded"),
        (lambda f: f.assign(**{"Naive-lo-100": 0.0, "Naive-hi-100": 9.0}), "level of column Naive-lo-100 is not between 0 and 100"),
        (lambda f: f.assign(**{"Naive-lo-90.0": 0.0}), "Naive-lo-90 and Naive-lo-90.0 are the same bound"),
        (lambda f: pd.concat([f, f.head(1)]), "unique_id a, ds 2024-01-02 00:00:00, cutoff 2024-01-01 00:00:00 occurs more than once"),
        (lambda f: f.assign(cutoff="2024-01-03"), "occurs more than once"),
        (lambda f: f.drop(index=2).assign(cutoff="2024-01-03"), "unique_id a: ds 2024-01-02 00:00:00 is not after its cutoff 2024-01-03"),
        (lambda f: f.assign(y=["1", "two", "3", "4"]), "column y holds 'two', which is not a number"),
        (lambda f: f.assign(Naive=["1", "2", "x", "4"]), "column Naive holds 'x', which is not a number"),
        (lambda f: f.assign(y=[1.0, np.inf, 2.0, 3.0]), "column y is infinite in row 2"),
        (lambda f: f.assign(unique_id=["a", None, "a", "a"]), "column unique_id has no value in row 2"),
        (lambda f: f.assign(ds=["soon", "later", "later", "never"]), "column ds holds neither ISO 8601 dates nor integers"),
        (lambda f: f.assign(ds=[1, 2, 2, 3]), "one holds integers and the other dates"),
        (lambda f: f.assign(ds=20240101, cutoff=20231231), "ds 20240101 is no number of days since 1970-01-01"),
        (lambda f: f.assign(Naive=np.nan), "no forecast in the file is a finite number"),
        (lambda f: f.assign(**{"M" * 101: 1.0}), "is longer than 100 characters; rename its columns"),
        (lambda f: f.head(0), "columns but no rows"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], words: str) -> None:
    path = csv(tmp_path, change(FRAME))
    with pytest.raises(BacktestFileError) as caught:
        read_backtest(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("frame.xlsx", b"PK", "the format .xlsx is not known; use .csv or .parquet"),
        ("frame", b"a", "the format (no extension) is not known"),
        ("broken.parquet", b"nonsense", "cannot be read"),
        ("binary.csv", b"unique_id,ds\n\xff\xfe,1\n", "cannot be read"),
        ("repeated.csv", b"unique_id,ds,cutoff,M,M\na,2,1,1,1\n", "columns M occur more than once"),
    ],
)
def test_a_file_that_is_no_frame_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BacktestFileError) as caught:
        read_backtest(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BacktestFileError, match=r"absent\.csv: cannot be read: No such file"):
        read_backtest(tmp_path / "absent.csv")
