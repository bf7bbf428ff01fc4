"""Which columns are models: by the names that libraries give, by what stands beside them, and by what the user says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.demo.backtest_columns import ColumnPlan, ModelColumns, UndecidedColumnsError, plan_columns
from dagster_project.demo.backtest_files import BacktestFileError

KEYS = ["unique_id", "ds", "cutoff", "y"]


def plan(*names: str, chosen: str | None = None, words: tuple[str, ...] = ()) -> ColumnPlan:
    """The plan for a frame in which some columns hold words."""
    return plan_columns([*KEYS, *names], lambda name: name not in words, chosen)


model_names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}(-[A-Za-z][A-Za-z0-9]{0,5}){0,2}", fullmatch=True).filter(
    lambda name: name.casefold() not in (*KEYS, "index") and not name.casefold().endswith(("-median", "-loc", "-scale", "-df"))
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
    # Names in capitals may be those of known forecasters, whose spelling is known.
    columns.append("lower")
    found = plan_columns(data.draw(st.permutations(columns)), lambda name: True, ",".join(models)).models
    assert {model: (part.point, dict(part.bounds)) for model, part in found.items()} == {
        model: (
            f"{model}-median" if kind == "median" else model,
            {level / 100: (f"{model}-lo-{level}", f"{model}-hi-{level}") for level in levels},
        )
        for model, (levels, kind) in models.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        *("SeasonalNaive", "Naive", "Drift", "AutoARIMA", "AutoETS", "CES", "MSTL", "CrostonSBA", "DynamicOptimizedTheta"),
        *("LGBMRegressor", "XGBRegressor", "RandomForestRegressor", "LinearRegression", "AutoLightGBM"),
        *("NHITS", "NHITS1", "NBEATSx", "AutoNHITS", "TFT", "TimeGPT", "Chronos", "iTransformer"),
        *("AutoETS/BottomUp", "AutoETS/MinTrace_method-mint_shrink", "ARIMA(1,1,1)", "ARIMA(1,0,0)(0,1,1)[12]"),
    ],
)
def test_a_known_forecaster_is_a_model(name: str) -> None:
    assert plan(name).models == {name: ModelColumns(name, {})}


@pytest.mark.parametrize(
    "name", ["price", "temperature", "var", "mean", "automobiles", "is_autumn", "holiday_regressor", "y_lag1", "Autumn"]
)
def test_any_other_column_with_numbers_is_asked_about(name: str) -> None:
    with pytest.raises(UndecidedColumnsError) as caught:
        plan("Naive", name, "AutoETS")
    assert (caught.value.certain, caught.value.doubtful) == (["Naive", "AutoETS"], [name])
    assert str(caught.value) == (
        f"the column {name} may be a forecast or not, and nobody said; add --models Naive,AutoETS to leave it, "
        f"or --models Naive,AutoETS,{name} to import all"
    )


def test_what_to_type_is_what_a_shell_takes() -> None:
    with pytest.raises(UndecidedColumnsError, match="add --models 'my model,price' to import all"):
        plan("my model", "price")


@pytest.mark.parametrize(
    "beside", [("mine-lo-90", "mine-hi-90"), ("mine-median",), ("mine-q-10", "mine-q-90"), ("mine_ql0.1", "mine_ql0.9")]
)
def test_what_has_bounds_or_a_median_beside_it_is_a_model(beside: tuple[str, ...]) -> None:
    assert list(plan("mine", *beside).models) == ["mine"]


# As the libraries write them; the quantiles of a float32 tensor among them.
@pytest.mark.parametrize(
    ("names", "level"),
    [
        (("AutoARIMA-lo-90", "AutoARIMA-hi-90"), 0.9),
        (("AutoARIMA-lo-97.5", "AutoARIMA-hi-97.5"), 0.975),
        (("AutoARIMA-lo-99.9", "AutoARIMA-hi-99.9"), 0.999),
        (("AutoARIMA-lo-80.0", "AutoARIMA-hi-80.0"), 0.8),
        (("AutoARIMA-q-10", "AutoARIMA-q-90"), 0.8),
        (("AutoARIMA-q-2.5", "AutoARIMA-q-97.5"), 0.95),
        (("AutoARIMA-q-0.1", "AutoARIMA-q-0.9"), 0.8),
        (("AutoARIMA_ql0.1", "AutoARIMA_ql0.9"), 0.8),
        (("AutoARIMA-ql0.1", "AutoARIMA-ql0.9"), 0.8),
        (("AutoARIMA_ql0.005", "AutoARIMA_ql0.995"), 0.99),
        (("AutoARIMA_ql0.10000000149011612", "AutoARIMA_ql0.8999999761581421"), 0.8),
    ],
)
def test_names_of_bounds_and_quantiles(names: tuple[str, str], level: float) -> None:
    assert plan("AutoARIMA", *names).models["AutoARIMA"].bounds == {level: names}


@pytest.mark.parametrize("median", ["NHITS-median", "NHITS_ql0.5", "NHITS-q-50"])
def test_the_median_is_the_point_forecast_where_there_is_no_other(median: str) -> None:
    assert plan(median).models["NHITS"].point == median
    both = plan("NHITS", median)
    assert both.models["NHITS"].point == "NHITS"
    assert both.left == {median: "a median; NHITS is the point forecast"}


def test_a_header_in_upper_case_names_known_forecasters_as_they_are_spelt() -> None:
    found = plan("SEASONALNAIVE", "TIMEGPT", "TIMEGPT-LO-90", "TIMEGPT-HI-90", "AUTOARIMA").models
    assert {model: columns.point for model, columns in found.items()} == {
        "SeasonalNaive": "SEASONALNAIVE",
        "TimeGPT": "TIMEGPT",
        "AutoARIMA": "AUTOARIMA",
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NHITS_ql0.1", "its mirror is missing, the quantile 0.9"),
        ("NHITS-q-0", "no quantile between 0 and 1"),
        ("NHITS-q-10", "the same bound as another column"),
        ("NHITS-loc", "a parameter of the distribution of NHITS"),
        ("NHITS-mu-1", "a parameter of the distribution of NHITS"),
        ("TFT_ql0.1", "there is no point forecast of TFT"),
        ("Unnamed: 0", "row numbers of a frame"),
        ("__index_level_0__", "row numbers of a frame"),
        ("index", "row numbers of a frame"),
        ("", "row numbers of a frame"),
        ("shop", "it holds no numbers"),
    ],
)
def test_what_is_left_is_named_with_its_reason(name: str, reason: str) -> None:
    beside = ("NHITS-lo-80", "NHITS-hi-80") if name != "NHITS_ql0.1" else ()
    beside = (*beside, "NHITS-q-90") if name == "NHITS-q-10" else beside
    found = plan("NHITS", *beside, name, words=("shop",))
    assert list(found.models) == ["NHITS"]
    assert found.left[name] == reason


def test_the_user_decides() -> None:
    names = ("price", "AutoARIMA", "AutoARIMA-lo-90", "AutoARIMA-hi-90", "index")
    assert plan(*names, chosen="AutoARIMA").left == {"price": "not named by --models", "index": "row numbers of a frame"}
    found = plan(*names, chosen=" price , index")
    assert list(found.models) == ["price", "index"]
    assert found.left == {
        "AutoARIMA": "not named by --models",
        "AutoARIMA-lo-90": "AutoARIMA is not named by --models",
        "AutoARIMA-hi-90": "AutoARIMA is not named by --models",
    }


def test_names_with_commas_can_be_chosen() -> None:
    assert list(plan("ARIMA(1,1,1)", "x", "y2", chosen="x,ARIMA(1,1,1)").models) == ["x", "ARIMA(1,1,1)"]


@pytest.mark.parametrize(
    ("names", "chosen", "words"),
    [
        (("Naive-lo-90", "Naive"), None, "the column Naive-lo-90 has no counterpart"),
        (("Naive-hi-90", "Naive"), None, "the column Naive-hi-90 has no counterpart"),
        (("Naive-lo-90", "Naive-hi-90"), None, "there are intervals of Naive, but neither Naive nor Naive-median"),
        (("Naive", "Naive-lo-100", "Naive-hi-100"), None, "level of column Naive-lo-100 is not between 0 and 100"),
        (("Naive", "Naive-lo-90", "Naive-lo-90.0"), None, "the columns Naive-lo-90 and Naive-lo-90.0 are the same bound"),
        (("Naive", "Naive-lo-99.99999", "Naive-hi-99.99999"), None, "the level of column Naive-lo-99.99999 has too many digits"),
        ((), None, "there is no column with forecasts, such as AutoARIMA or AutoARIMA-median; found unique_id, ds, cutoff, y"),
        (("M" * 101,), "M" * 101, "is longer than 100 characters; rename its columns"),
        (("Na\0ive",), "Na\0ive", "the model name 'Na\\x00ive' has a NUL character"),
        (("price", "Naive"), "Auto", "--models names Auto, but no column with forecasts has this name; there are price, Naive"),
        (("price", "Naive"), " ", "there is no column with forecasts"),
    ],
)
def test_what_is_wrong_is_named(names: tuple[str, ...], chosen: str | None, words: str) -> None:
    with pytest.raises(BacktestFileError) as caught:
        plan(*names, chosen=chosen)
    assert words in str(caught.value)
