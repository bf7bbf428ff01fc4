"""Values of a frame: times, horizons, what is skipped, and one clear error for each thing that can be wrong."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.demo.backtest_columns import ModelColumns
from dagster_project.demo.backtest_files import BacktestFileError, read_table
from dagster_project.demo.backtest_rows import NO_INTERVAL, NOT_FINITE, NOT_SCORED, LeftOut, PredictionRows, prediction_rows

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
NAIVE = {"Naive": ModelColumns("Naive", {0.9: ("Naive-lo-90", "Naive-hi-90")})}
POINTS = {"Naive": ModelColumns("Naive", {})}
CASES = Path(__file__).parents[2] / "cases"


def csv(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as it comes back from a text file."""
    path = folder / "backtest.csv"
    frame.to_csv(path, index=False)
    return read_table(path, ()).frame


def parquet(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as it comes back from Parquet."""
    path = folder / "backtest.parquet"
    frame.to_parquet(path, index=False)
    return read_table(path, ()).frame


def rows_of(frame: pd.DataFrame, models: dict[str, ModelColumns] | None = None) -> pd.DataFrame:
    return prediction_rows(frame, models or NAIVE, LeftOut()).models["Naive"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(order=st.permutations(list(FRAME.columns)), write=st.sampled_from([csv, parquet]))
def test_a_file_gives_the_same_rows_in_any_column_order_and_format(
    tmp_path: Path, order: list[str], write: Callable[[Path, pd.DataFrame], pd.DataFrame]
) -> None:
    left_out = LeftOut()
    rows = prediction_rows(write(tmp_path, FRAME[order]), NAIVE, left_out).models["Naive"]
    assert left_out.counts == {}
    assert rows["unique_id"].tolist() == ["a"] * 4
    assert rows["ds"].tolist() == FRAME["ds"].tolist()
    assert rows["cutoff"].tolist() == FRAME["cutoff"].tolist()
    assert rows["horizon"].tolist() == [1, 2, 1, 2]
    assert rows["predicted"].tolist() == [1.5, 1.5, 2.5, 2.5]
    assert rows["actual"].isna().tolist() == [False, False, False, True]
    assert rows["level"].tolist() == [0.9] * 4
    assert rows["lower"].tolist() == [0.5, 0.5, 1.5, 1.5]
    assert rows["upper"].tolist() == [2.5, 2.5, 3.5, 3.5]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_numbers_of_text_are_exact(tmp_path: Path, values: list[float]) -> None:
    assert rows_of(csv(tmp_path, FRAME.assign(Naive=values)), POINTS)["predicted"].tolist() == values


def test_levels_give_one_row_each() -> None:
    frame = FRAME.assign(**{"Naive-lo-80": 1.0, "Naive-hi-80": 2.5})
    columns = ModelColumns("Naive", {level / 100: (f"Naive-lo-{level}", f"Naive-hi-{level}") for level in (80, 90)})
    assert rows_of(frame, {"Naive": columns}).groupby("level").size().to_dict() == {0.8: 4, 0.9: 4}


def test_a_model_without_intervals_has_one_row_without_a_level() -> None:
    rows = rows_of(FRAME[["unique_id", "ds", "cutoff", "Naive"]], POINTS)
    assert rows[["level", "lower", "upper", "actual"]].isna().all(axis=None)
    assert len(rows) == 4


@pytest.mark.parametrize(("write", "kind"), [(csv, int), (parquet, int), (parquet, float)])
def test_integer_ids_and_times(tmp_path: Path, write: Callable[[Path, pd.DataFrame], pd.DataFrame], kind: type) -> None:
    frame = FRAME.assign(unique_id=7, ds=np.array([11, 12, 12, 13], kind), cutoff=np.array([10, 10, 11, 11], kind))
    rows = rows_of(write(tmp_path, frame))
    assert rows["unique_id"].tolist() == ["7"] * 4
    assert rows["ds"].tolist() == [pd.Timestamp(1970, 1, day + 1) for day in (11, 12, 12, 13)]
    assert rows["cutoff_integer"].tolist() == [10, 10, 11, 11]
    assert rows["ds_integer"].tolist() == [11, 12, 12, 13]


def test_dates_of_parquet() -> None:
    days = {column: [moment.date() for moment in FRAME[column]] for column in ("ds", "cutoff")}
    assert isinstance(days["ds"][0], date)
    assert rows_of(FRAME.assign(**days))["ds"].tolist() == FRAME["ds"].tolist()


def test_series_called_na_and_null_are_series(tmp_path: Path) -> None:
    names = ["NA", "null", "None", "nan"]
    frame = csv(tmp_path, FRAME.assign(unique_id=names))
    assert rows_of(frame)["unique_id"].tolist() == names
    case = read_table(CASES / "import_na.csv", ()).frame
    assert rows_of(case, POINTS)["unique_id"].tolist() == ["NA", "null"]


@pytest.mark.parametrize("text", ["", "NA", "NaN", "null", "None", "n/a"])
def test_an_actual_value_may_be_missing(tmp_path: Path, text: str) -> None:
    assert rows_of(csv(tmp_path, FRAME.assign(y=["1", text, "3", "4"])))["actual"].isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize("write", [csv, parquet])
def test_days_with_a_zone_keep_their_calendar_day(tmp_path: Path, write: Callable[[Path, pd.DataFrame], pd.DataFrame]) -> None:
    zoned = FRAME.assign(ds=FRAME["ds"].dt.tz_localize("Asia/Tokyo"), cutoff=FRAME["cutoff"].dt.tz_localize("Asia/Tokyo"))
    read = prediction_rows(write(tmp_path, zoned), NAIVE, LeftOut())
    assert read.models["Naive"]["ds"].tolist() == FRAME["ds"].tolist()
    assert read.times.kind == "zoned day"


def test_the_case_of_a_zone() -> None:
    rows = rows_of(read_table(CASES / "import_zone.csv", ()).frame, POINTS)
    assert (rows["ds"].tolist(), rows["cutoff"].tolist()) == ([pd.Timestamp("2026-02-01")], [pd.Timestamp("2026-01-01")])


@pytest.mark.parametrize("write", [csv, parquet])
def test_times_with_a_zone_are_stored_in_utc(tmp_path: Path, write: Callable[[Path, pd.DataFrame], pd.DataFrame]) -> None:
    # The hour that is there twice when summer time ends.
    hours = pd.date_range("2026-10-25 00:00", periods=4, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    zoned = FRAME.assign(ds=hours, cutoff=pd.Timestamp("2026-10-24 23:00", tz="UTC").tz_convert("Europe/Berlin"))
    read = prediction_rows(write(tmp_path, zoned), NAIVE, LeftOut())
    assert read.times.kind == "zoned time"
    assert read.models["Naive"]["ds"].tolist() == [pd.Timestamp(2026, 10, 25, hour) for hour in range(4)]
    assert read.models["Naive"]["horizon"].tolist() == [1, 2, 3, 4]


def test_a_missing_row_does_not_shift_the_horizons_after_it() -> None:
    assert rows_of(FRAME.drop(index=2).reset_index(drop=True))["horizon"].tolist() == [1, 2, 2]


@settings(max_examples=25, deadline=None)
@given(cutoffs=st.sets(st.integers(0, 30), min_size=1, max_size=4), horizon=st.integers(1, 5), data=st.data())
def test_horizons_count_the_steps_of_a_regular_series(cutoffs: set[int], horizon: int, data: st.DataObject) -> None:
    frame = pd.DataFrame([(name, cutoff + step, cutoff, 1.0) for name in "st" for cutoff in cutoffs for step in range(1, horizon + 1)])
    frame.columns = pd.Index(["unique_id", "ds", "cutoff", "Naive"])
    shuffled = frame.iloc[data.draw(st.permutations(range(len(frame))))].reset_index(drop=True)
    rows = rows_of(shuffled, POINTS)
    # Time points that no row of the file has are unknown to it, so the oracle counts those that some row has.
    points = set(frame["ds"]) | set(frame["cutoff"])
    assert rows["horizon"].tolist() == [
        sum(c < point <= d for point in points) for d, c in zip(shuffled["ds"], shuffled["cutoff"], strict=True)
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_forecasts_that_are_no_finite_number_are_skipped_and_counted(value: float) -> None:
    left_out = LeftOut()
    rows = prediction_rows(FRAME.assign(Naive=[1.0, value, 2.0, 3.0]), NAIVE, left_out).models["Naive"]
    assert rows["predicted"].tolist() == [1.0, 2.0, 3.0]
    assert left_out.lines() == [f"1 {NOT_FINITE}; first Naive in row 2"]


# Each would fail a blocking check of the platform, and hold back the marts of everybody.
@pytest.mark.parametrize("lower", [np.nan, -np.inf, 3.0, 2.0], ids=["missing", "infinite", "above the upper", "above the forecast"])
def test_an_interval_that_no_check_lets_pass_is_left_out_and_counted(lower: float) -> None:
    left_out = LeftOut()
    rows = prediction_rows(FRAME.assign(**{"Naive-lo-90": [lower, 0.5, 1.5, 1.5]}), NAIVE, left_out).models["Naive"]
    assert rows["predicted"].tolist() == FRAME["Naive"].tolist()
    assert rows["lower"].isna().tolist() == rows["upper"].isna().tolist() == [True, False, False, False]
    assert left_out.lines() == [f"1 {NO_INTERVAL}; first Naive at 90% in row 1"]


def test_values_that_are_too_large_are_stored_and_told() -> None:
    left_out = LeftOut()
    rows = prediction_rows(read_table(CASES / "import_huge.csv", ()).frame, POINTS, left_out).models["Naive"]
    assert rows["predicted"].tolist() == [-1e308, 1e308]
    assert left_out.lines() == [f"2 {NOT_SCORED}; first Naive in row 1"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda f: pd.concat([f, f.head(1)]),
            "unique_id a, ds 2024-01-02, cutoff 2024-01-01 occurs more than once, in rows 1 and 5; keep one row of each",
        ),
        (lambda f: f.assign(cutoff="2024-01-03"), "occurs more than once"),
        (
            lambda f: f.drop(index=2).assign(cutoff="2024-01-03"),
            "unique_id a, ds 2024-01-02, cutoff 2024-01-03 in row 1: ds is not after its cutoff",
        ),
        (
            lambda f: f.assign(y=["1", "two", "3", "4"]),
            "column y holds 'two', which is not a number, in row 2; correct it or leave it empty",
        ),
        (lambda f: f.assign(Naive=["1", "2", "x", "4"]), "column Naive holds 'x', which is not a number, in row 3"),
        (lambda f: f.assign(Naive=["1", "2", "3", "1.234,5"]), "column Naive holds '1.234,5', which is not a number, in row 4"),
        (lambda f: f.assign(y=[1.0, np.inf, 2.0, 3.0]), "column y is infinite in row 2"),
        (lambda f: f.assign(unique_id=["a", "", "a", "a"]), "column unique_id has no value in row 2"),
        (lambda f: f.assign(ds=["2024-01-02", "NaT", "2024-01-03", "2024-01-04"]), "column ds has no value in row 2"),
        (
            lambda f: f.assign(ds=["2024-01-02", "soon", "later", "never"]),
            "column ds holds neither ISO 8601 dates nor integers, as 'soon' in row 2; write dates as 2024-01-31",
        ),
        (lambda f: f.assign(ds=["31.01.2024"] * 4), "column ds holds neither ISO 8601 dates nor integers, as '31.01.2024' in row 1"),
        (lambda f: f.assign(ds=[1, 2, 2, 3]), "one holds integers and the other dates"),
        (lambda f: f.assign(ds=20240101, cutoff=20231231), "ds 20240101 is no number of days since 1970-01-01, in row 1"),
        (lambda f: f.assign(ds=9 * 10**30, cutoff=1), "column ds holds integers that are no days since 1970-01-01"),
        (lambda f: f.assign(ds=[202402, 202403, 202404, 202405], cutoff=202401), "ds 202402 looks like a month"),
        (
            lambda f: f.assign(ds=[*["2024-01-02T00:00Z"] * 3, "2024-01-05"], cutoff="2024-01-01T00:00Z"),
            "ds 2024-01-05 in row 4 has no zone, and other times have one",
        ),
        (lambda f: f.assign(cutoff="2024-01-01T00:00+09:00"), "ds 2024-01-02 in row 1 has no zone, and other times have one"),
        (lambda f: f.assign(Naive=np.nan), "no forecast in the file is a finite number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], words: str) -> None:
    frame = csv(tmp_path, change(FRAME))
    with pytest.raises(BacktestFileError) as caught:
        rows_of(frame)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_with_nul_is_refused() -> None:
    with pytest.raises(
        BacktestFileError, match=r"the unique_id 'b\\x00' in row 2 holds a NUL character; a database stores none: take it out"
    ):
        rows_of(FRAME.assign(unique_id=["a", "b\0", "a", "a"]))


def test_the_case_of_months() -> None:
    with pytest.raises(BacktestFileError, match=r"ds 202402 looks like a month, .* write dates as 2024-02-01"):
        rows_of(read_table(CASES / "import_yyyymm.csv", ()).frame, POINTS)


def test_the_rows_of_all_models_share_their_points() -> None:
    read: PredictionRows = prediction_rows(FRAME, NAIVE, LeftOut())
    assert read.points["horizon"].tolist() == [1, 2, 1, 2]
