"""What the columns of a forecast frame are: models with their bounds, and what is no model.

Belongs here: the names that libraries of the Nixtla family give to columns, and the rule by which a column is a model. Does not belong
here: their values (`backtest_rows`).

A column is a model without being asked about if it has the name of a known forecaster, or bounds or a median beside it. Any other column
with numbers may be a forecast or a regressor: nobody but the user knows. Names that are understood, whatever their case:

- `Model`: its point forecast; `Model-median`, or its quantile 0.5, where there is none.
- `Model-lo-90`, `Model-hi-90`: bounds of level 90%.
- `Model-q-10` (TimeGPT, in percent), `Model-q-0.1`, `Model_ql0.1` (neuralforecast): quantiles. Two that mirror each other are bounds: 0.1
  and 0.9 of level 80%.
- `Model-loc`, `Model-scale` and the like: parameters of its distribution, which are left.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dagster_project.demo.backtest_files import ACTUAL, KEYS, BacktestFileError

# As in predictions.confidence_level.
LEVEL_DIGITS = 6

_LONGEST_NAME = 100
_NUMBER = r"\d+(?:\.\d+)?"
_PART = re.compile(
    rf"(?P<model>.+?)(?:-(?P<side>lo|hi)-(?P<level>{_NUMBER})|-(?P<median>median)|(?:-q-|[-_]ql-?)(?P<quantile>{_NUMBER}))", re.IGNORECASE
)
_PARAMETER = re.compile(
    r"(?P<model>.+)-(loc|scale|df|logits|total_count|log_mu|(mu|std|lambda|weight|probs|total_count)-\d+)", re.IGNORECASE
)
_ROW_NUMBERS = re.compile(r"Unnamed: \d+|__index_level_\d+__|index|level_\d+|", re.IGNORECASE)
# Forecasters of statsforecast, mlforecast, neuralforecast, TimeGPT and their peers that have names of their own.
_FORECASTERS = """
    Naive Naive2 SeasonalNaive RandomWalkWithDrift Drift HistoricAverage WindowAverage SeasonalWindowAverage ZeroModel ConstantModel
    ARIMA SARIMA SARIMAX ETS CES MSTL MFLES TBATS Theta OptimizedTheta DynamicTheta DynamicOptimizedTheta DOTheta 4Theta
    AutoARIMA AutoETS AutoCES AutoTheta AutoMFLES AutoTBATS SimpleExponentialSmoothing SimpleExponentialSmoothingOptimized SES SESOpt
    SeasonalExponentialSmoothing SeasonalExponentialSmoothingOptimized SeasonalES SeasES SeasESOpt Holt HoltWinters AutoRegressive AutoReg
    GARCH ARCH ADIDA IMAPA TSB CrostonClassic CrostonOptimized CrostonSBA ConformalSeasonalPool STL Prophet NeuralProphet Ensemble
    LinearRegression Ridge Lasso ElasticNet LightGBM LGBM XGBoost CatBoost RandomForest
    RNN LSTM GRU xLSTM TCN DeepAR DeepNPTS DilatedRNN BiTCN MLP NBEATS NBEATSx NHITS TiDE DLinear NLinear TFT Informer Autoformer FEDformer
    PatchTST iTransformer TimeXer TimeLLM TimesNet VanillaTransformer StemGNN TSMixer TSMixerx MLPMultivariate SOFTS TimeMixer KAN RMoK HINT
    TimeGPT Chronos Chronos2 ChronosBolt TimesFM Moirai LagLlama TiRex Toto Sundial
"""
_SPELLINGS = {name.casefold(): name for name in _FORECASTERS.split()}
# AutoNHITS, LGBMRegressor; NHITS1 is neuralforecast's second NHITS, AutoETS/BottomUp a reconciliation, ARIMA(1,1,1) has its orders.
_KNOWN = re.compile(rf"(?:{'|'.join(map(re.escape, _SPELLINGS.values()))}|Auto[A-Z]\w*|\w+(?:Regressor|Forecaster))\d*(?:[/(].*)?")


@dataclass(frozen=True)
class ModelColumns:
    """The columns of one model.

    Attributes:
        point: Column of the point forecast.
        bounds: Columns of the lower and upper bound, by level as a fraction.
    """

    point: str
    bounds: Mapping[float, tuple[str, str]]


@dataclass(frozen=True)
class ColumnPlan:
    """What the columns of a frame are taken for.

    Attributes:
        models: Columns of each model, in the order of the frame.
        left: Columns that are not imported, with the reason.
    """

    models: Mapping[str, ModelColumns]
    left: Mapping[str, str]


class UndecidedColumnsError(BacktestFileError):
    """Columns may be forecasts or something else; the second argument names the models that are certain, the third what is not."""

    @property
    def certain(self) -> list[str]:
        """Models that are known to be such."""
        return list(self.args[1])

    @property
    def doubtful(self) -> list[str]:
        """Columns of which only the user knows."""
        return list(self.args[2])

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class _Part:
    """What the name of one column says: a part of a model's forecasts.

    Attributes:
        column: The column.
        model: The model that it names.
        role: `point`, `median`, `lo`, `hi` or `quantile`.
        value: Level of a bound, or the quantile, as fractions.
    """

    column: str
    model: str
    role: str
    value: Decimal = Decimal(0)


@dataclass(frozen=True)
class _Candidate:
    """The columns that name one model."""

    model: str
    parts: tuple[_Part, ...]

    def columns(self, role: str) -> list[_Part]:
        return [part for part in self.parts if part.role == role]

    @property
    def point(self) -> str | None:
        """The column of its point forecast: the first of point, median and quantile 0.5."""
        medians = [part for part in self.columns("quantile") if part.value == Decimal("0.5")]
        found = [*self.columns("point"), *self.columns("median"), *medians]
        return found[0].column if found else None

    @property
    def mirrored(self) -> dict[Decimal, tuple[str, str]]:
        """Pairs of quantiles that are as far from 0 as from 1, by the level whose bounds they are."""
        columns = {part.value: part.column for part in reversed(self.columns("quantile"))}
        return {1 - 2 * q: (columns[q], columns[1 - q]) for q in sorted(columns) if q < Decimal("0.5") and 1 - q in columns}

    @property
    def is_certain(self) -> bool:
        """Whether it is a model, without being asked about: by its name, or by what stands beside it."""
        return bool(self.columns("median") or self.columns("lo") or self.columns("hi") or self.mirrored or _KNOWN.fullmatch(self.model))


def plan_columns(names: Sequence[str], holds_numbers: Callable[[str], bool], chosen: str | None = None) -> ColumnPlan:
    """Decide what the columns of a frame are taken for.

    Args:
        names: The frame's columns, in any order.
        holds_numbers: Whether a column has any number.
        chosen: The models to import, as in `A,B`; if None, all that are certain.

    Raises:
        UndecidedColumnsError: Columns may be models, and nobody said.
        BacktestFileError: A bound stands alone, a level cannot be stored, a chosen model is not there, or there is no model.
    """
    others = [name for name in names if name not in (*KEYS, ACTUAL)]
    candidates = _candidates(others)
    models = _certain(candidates, holds_numbers) if chosen is None else [candidates[name] for name in _split(chosen, candidates)]
    if not models:
        raise BacktestFileError(f"there is no column with forecasts, such as AutoARIMA or AutoARIMA-median; found {', '.join(names)}")
    plan = {model.model: _columns(model) for model in models}
    taken = {
        column for columns in plan.values() for column in (columns.point, *(bound for pair in columns.bounds.values() for bound in pair))
    }
    parts = [part for candidate in candidates.values() for part in candidate.parts if part.column not in taken]
    return ColumnPlan(plan, {part.column: _why_left(part, plan, chosen, holds_numbers) for part in parts})


def _candidates(names: Sequence[str]) -> dict[str, _Candidate]:
    is_upper_case = all(name == name.upper() for name in names)
    parts: dict[str, list[_Part]] = {}
    for name in names:
        part = _part(name)
        model = _SPELLINGS.get(part.model.casefold(), part.model) if is_upper_case else part.model
        parts.setdefault(model, []).append(part)
    return {model: _Candidate(model, tuple(found)) for model, found in parts.items()}


def _part(name: str) -> _Part:
    match = _PART.fullmatch(name)
    if match is None:
        return _Part(name, name, "point")
    if match["median"]:
        return _Part(name, match["model"], "median")
    if match["side"]:
        return _Part(name, match["model"], match["side"].lower(), Decimal(match["level"]) / 100)
    value = Decimal(match["quantile"])
    return _Part(name, match["model"], "quantile", round(value if value < 1 else value / 100, LEVEL_DIGITS))


def _certain(candidates: Mapping[str, _Candidate], holds_numbers: Callable[[str], bool]) -> list[_Candidate]:
    """The candidates that are models beyond doubt."""
    certain = [candidate for candidate in candidates.values() if candidate.is_certain and (candidate.point or candidate.columns("lo"))]
    names = [candidate.model for candidate in certain]
    doubtful = [
        candidate.model
        for candidate in candidates.values()
        if candidate.point and candidate not in certain and _why_no_model(candidate.point, names, holds_numbers) is None
    ]
    if doubtful:
        raise _undecided(names, doubtful)
    return certain


def _undecided(certain: list[str], doubtful: list[str]) -> UndecidedColumnsError:
    what = (
        f"the column {doubtful[0]} may be a forecast or not"
        if len(doubtful) == 1
        else f"the columns {', '.join(doubtful)} may be forecasts or not"
    )
    every = ",".join([*certain, *doubtful])
    choice = f"--models {_quoted(','.join(certain))} to leave {'it' if len(doubtful) == 1 else 'them'}, or " if certain else ""
    return UndecidedColumnsError(f"{what}, and nobody said; add {choice}--models {_quoted(every)} to import all", certain, doubtful)


def _quoted(models: str) -> str:
    return models if re.fullmatch(r"[\w,./-]+", models) else shlex.quote(models)


def _why_no_model(column: str, models: Iterable[str], holds_numbers: Callable[[str], bool]) -> str | None:
    """Why a column that looks like a point forecast is none, or None if it may be one."""
    if _ROW_NUMBERS.fullmatch(column):
        return "row numbers of a frame"
    if (parameter := _PARAMETER.fullmatch(column)) and parameter["model"] in models:
        return f"a parameter of the distribution of {parameter['model']}"
    return None if holds_numbers(column) else "it holds no numbers"


def _why_left(part: _Part, models: Mapping[str, ModelColumns], chosen: str | None, holds_numbers: Callable[[str], bool]) -> str:
    if part.role == "point":
        return _why_no_model(part.column, models, holds_numbers) or "not named by --models"
    if part.model not in models:
        return f"{part.model} is not named by --models" if chosen is not None else f"there is no point forecast of {part.model}"
    if part.role == "median" or part.value == Decimal("0.5"):
        return f"a median; {models[part.model].point} is the point forecast"
    if not 0 < part.value < 1:
        return "no quantile between 0 and 1"
    if float(abs(1 - 2 * part.value)) in models[part.model].bounds:
        return "the same bound as another column"
    return f"its mirror is missing, the quantile {(1 - part.value).normalize()}"


def _split(chosen: str, candidates: Mapping[str, _Candidate]) -> list[str]:
    """Names of models in `A,B`; a name may have commas itself, such as ARIMA(1,1,1)."""
    by_column = {part.column: model for model, candidate in candidates.items() for part in candidate.columns("point")}
    pieces, found = [piece.strip() for piece in chosen.split(",")], []
    while pieces:
        ends = [end for end in range(len(pieces), 0, -1) if ",".join(pieces[:end]) in candidates or ",".join(pieces[:end]) in by_column]
        name = ",".join(pieces[: ends[0] if ends else 1])
        if not ends and name:
            known = ", ".join(model for model, candidate in candidates.items() if candidate.point)
            raise BacktestFileError(f"--models names {name}, but no column with forecasts has this name; there are {known or 'none'}")
        found += [by_column.get(name, name)] if name else []
        pieces = pieces[ends[0] if ends else 1 :]
    return list(dict.fromkeys(found))


def _columns(model: _Candidate) -> ModelColumns:
    name = model.model
    if len(name) > _LONGEST_NAME:
        raise BacktestFileError(f"the model name {name} is longer than {_LONGEST_NAME} characters; rename its columns")
    if "\0" in name:
        raise BacktestFileError(f"the model name {name!r} has a NUL character; rename its columns")
    if model.point is None:
        raise BacktestFileError(
            f"there are intervals of {name}, but neither {name} nor {name}-median; found {', '.join(part.column for part in model.parts)}"
        )
    lower, upper = _levels(model.columns("lo")), _levels(model.columns("hi"))
    for level in lower.keys() ^ upper.keys():
        alone = lower.get(level) or upper[level]
        raise BacktestFileError(
            f"the column {alone} has no counterpart; an interval needs both its lo and its hi column: add the other, or take this one out"
        )
    bounds = {level: (lower[level], upper[level]) for level in lower}
    bounds |= {float(level): pair for level, pair in model.mirrored.items() if float(level) not in bounds}
    return ModelColumns(model.point, {level: bounds[level] for level in sorted(bounds)})


def _levels(bounds: Sequence[_Part]) -> dict[float, str]:
    """Columns of one side by level."""
    columns: dict[float, str] = {}
    for part in bounds:
        level = float(part.value)
        if not 0 < level < 1:
            raise BacktestFileError(f"the level of column {part.column} is not between 0 and 100")
        if part.value != round(part.value, LEVEL_DIGITS):
            raise BacktestFileError(
                f"the level of column {part.column} has too many digits to be stored, as predictions.confidence_level has {LEVEL_DIGITS}; "
                "leave its columns out or forecast a rounder level"
            )
        if level in columns:
            raise BacktestFileError(f"the columns {columns[level]} and {part.column} are the same bound; keep one of them")
        columns[level] = part.column
    return columns
