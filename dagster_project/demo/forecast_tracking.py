"""A real workload for the forecast tracking database: backtests of five methods over the series that statsmodels ships.

Belongs here: which experiments there are, what is tried in each, and the two entry points `fill` and `deliver_actuals`. Does not belong
here: the methods (`forecasters`), carrying them out (`attempts`) and writing them down (`recording`).

Every value is measured or computed. A run is recognised by its fingerprint, the hash of its whole configuration, and is not run again. How
predictions are stored is said in `tracking`; those of the last cutoff have no actual values until `deliver_actuals`. Metrics are those of
one fold over all series, `backtest_fold_1` being the oldest cutoff: the last fold with actual values is `test`, those before it are
`validation`, and what arrives later is `production`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from dagster_project.demo import accuracy, backtest, tracking
from dagster_project.demo.attempts import Attempt, execute
from dagster_project.demo.backtest import Plan
from dagster_project.demo.datasets import ensure_panel
from dagster_project.demo.forecasters import ARIMA, ETS, AutoReg, SeasonalNaive, Theta
from dagster_project.demo.recording import SOURCE, Recorder
from dagster_project.demo.registry import PROMOTER
from dagster_project.demo.series import CATALOG, Series, UnknownNameError, selected
from dagster_project.resources.databases import engine
from migrations.forecast_tracking.models import (
    Dataset,
    Experiment,
    HyperparameterSearchSpace,
    Model,
    ModelRegistry,
    Prediction,
    Run,
    Tag,
    User,
    UserExperiment,
)

_THETAS = (1.0, 2.0, 3.0)
_TAGS = {
    "frequency": "Frequency of the series: MS monthly, QS quarterly, YS yearly, stamped with the first day.",
    "method": "Forecasting method.",
    "role": "baseline, candidate, or trial of a point of a search space.",
}


@dataclass(frozen=True)
class Study:
    """An experiment: all series of one frequency, how they are backtested, and what is tried on them."""

    name: str
    description: str
    frequency: str
    plan: Plan
    attempts: tuple[Attempt, ...]


_STANDARD = (
    Attempt("seasonal naive", (SeasonalNaive(),)),
    Attempt("exponential smoothing", (ETS(),)),
    Attempt("theta", tuple(Theta(theta) for theta in _THETAS)),
    Attempt("arima", (ARIMA(),)),
    Attempt("autoregression", (AutoReg(),)),
)
# Each of these two ends early for a reason of its own: the larger ARIMA does not converge within so few iterations, and the sunspot series
# has zeros, which multiplicative errors do not allow.
_SHORT_BUDGET = Attempt("arima, larger, ten iterations", (ARIMA(order=(2, 1, 2), seasonal_order=(1, 1, 1), iteration_budget=10),))
_MULTIPLICATIVE = Attempt("exponential smoothing, multiplicative errors", (ETS(error="mul"),))

STUDIES = (
    Study("monthly", "Forecasts of monthly series, one year ahead.", "MS", Plan(12, training_window=120), (*_STANDARD, _SHORT_BUDGET)),
    Study("quarterly", "Forecasts of quarterly series, two years ahead.", "QS", Plan(8, training_window=100), _STANDARD),
    Study("yearly", "Forecasts of yearly series, six years ahead.", "YS", Plan(6), (*_STANDARD, _MULTIPLICATIVE)),
)


@dataclass(frozen=True)
class FillSummary:
    """What `fill` did.

    Attributes:
        added: Runs that were carried out and tracked now, tuning trials not counted.
        known: Runs that were tracked before and not carried out again.
        seconds: How long it took.
    """

    added: int
    known: int
    seconds: float


def fill(
    source_url: str,
    home: Path,
    progress: Callable[[str], None],
    series: Collection[str] | None = None,
    methods: Collection[str] | None = None,
) -> FillSummary:
    """Carry out the runs that are not tracked yet, and track them.

    Args:
        source_url: libpq URL of a migrated forecast tracking database.
        home: Folder under which the runs' files are written, in `forecast_tracking/`.
        progress: Called with one line per series and per run.
        series: Names of the series to use, see `series.CATALOG`; None for all.
        methods: Model types to use, such as `SeasonalNaive`; None for all.

    Raises:
        UnknownNameError: There is no series or method of such a name.
    """
    started = perf_counter()
    chosen = selected(series)
    _check_methods(methods)
    progress("running backtests and tracking them; two are set up so that they end early, as real ones do")
    database = engine(source_url)
    added: list[bool] = []
    for study in STUDIES:
        panel = tuple(one for one in chosen if one.frequency == study.frequency)
        attempts = [attempt for attempt in study.attempts if methods is None or attempt.method.model_type in methods]
        if panel:
            work = _Work(database, study, panel, home.resolve() / "forecast_tracking", progress)
            added.extend(work.track(attempt) for attempt in attempts)
    with Session(database) as session, session.begin():
        _count_tags(session)
    database.dispose()
    return FillSummary(added=added.count(True), known=added.count(False), seconds=perf_counter() - started)


def deliver_actuals(source_url: str) -> int:
    """Fill in the actual values of the last cutoffs, in place, as they arrive at a tracker later.

    The models get the metrics of those cutoffs too, as `production`, and so do the registered versions that are in production.

    Returns:
        Number of prediction rows that were completed; 0 when all actual values have arrived before.
    """
    values = {series.unique_id: series.values for series in CATALOG}
    database = engine(source_url)
    with Session(database) as session, session.begin():
        of_workload = select(Run.run_id).where(Run.source_name == SOURCE)
        pending = session.scalars(select(Prediction).where(Prediction.actual_value.is_(None), Prediction.run_id.in_(of_workload))).all()
        for prediction in pending:
            prediction.actual_value = float(values[prediction.unique_id].loc[pd.Timestamp(prediction.prediction_date)])
        session.flush()
        delivered = {prediction.prediction_id for prediction in pending}
        for model_id in sorted({prediction.model_id for prediction in pending}):
            _score_production(session, model_id, delivered)
    database.dispose()
    return len(pending)


class _Work:
    """The runs of one study on one panel of series."""

    def __init__(self, database: Engine, study: Study, panel: tuple[Series, ...], folder: Path, progress: Callable[[str], None]) -> None:
        self._database, self._study, self._panel, self._folder, self._progress = database, study, panel, folder, progress
        self._windows = [window for series in panel for window in backtest.windows(series, study.plan)]
        tracking.create_partitions(database, [date for window in self._windows for date in window.future.index])
        with Session(database, expire_on_commit=False) as session, session.begin():
            self._username = _ensure_users(session)
            self._experiment = _ensure_experiment(session, study, self._username)
            self._dataset = ensure_panel(session, f"{study.name}_panel", panel, folder / "datasets")

    def track(self, attempt: Attempt) -> bool:
        """Carry out an attempt and record it, unless it is tracked; return whether it was carried out."""
        label = f"{self._study.name}: {attempt.name}"
        configuration = _configuration(self._study, self._panel, self._dataset, attempt)
        with Session(self._database) as session:
            is_tracked = tracking.tracked_run(session, self._experiment, tracking.fingerprint(configuration)) is not None
        if is_tracked:
            self._progress(f"{label}: already tracked")
            return False
        outcome = execute(attempt, self._windows, lambda unique_id: self._progress(f"{label}: {unique_id}"))
        with Session(self._database) as session, session.begin():
            recorder = Recorder(session, self._experiment, self._dataset, self._study.plan, self._username, self._folder)
            recorder.record(attempt, outcome, configuration)
        self._progress(f"{label}: {outcome.status} in {outcome.seconds} s")
        return True


def _check_methods(methods: Collection[str] | None) -> None:
    known = sorted({attempt.method.model_type for study in STUDIES for attempt in study.attempts})
    unknown = sorted(set(methods or ()) - set(known))
    if unknown:
        raise UnknownNameError(f"no method named {', '.join(unknown)}; choose from {', '.join(known)}")


def _configuration(study: Study, panel: tuple[Series, ...], dataset: Dataset, attempt: Attempt) -> dict[str, Any]:
    return {
        "experiment": study.name,
        "method": attempt.method.model_type,
        "candidates": [candidate.hyperparameters for candidate in attempt.candidates],
        "framework": attempt.method.framework,
        "framework_version": attempt.method.framework_version,
        "series": [series.unique_id for series in panel],
        "data_sha256": dataset.file_hash,
        "horizon": study.plan.horizon,
        "cutoffs": study.plan.cutoffs,
        "training_window": study.plan.training_window,
        "levels": list(study.plan.levels),
    }


def _ensure_users(session: Session) -> str:
    """Track the database role that we write as, the promotion rule and the platform, which reads; return the first one's name."""
    writer = str(session.scalar(select(func.current_user())))
    names = {writer: "Demo workload", PROMOTER: "Promotion rule of the model registry", "runmart": "Runmart, which reads this database"}
    known = set(session.scalars(select(User.username)))
    session.add_all(
        User(user_uuid=tracking.stable_uuid("user", name), username=name, email=f"{name}@localhost", full_name=purpose)
        for name, purpose in names.items()
        if name not in known
    )
    session.flush()
    return writer


def _ensure_experiment(session: Session, study: Study, writer: str) -> Experiment:
    living = select(Experiment).where(Experiment.experiment_name == study.name, Experiment.deleted_at.is_(None))
    experiment = session.scalar(living.order_by(Experiment.experiment_id).limit(1))
    if experiment is not None:
        return experiment
    experiment = Experiment(
        experiment_name=study.name,
        experiment_description=study.description,
        experiment_type="testing",
        created_by=writer,
        tags={"frequency": study.frequency},
        metadata_={"horizon": study.plan.horizon, "cutoffs": study.plan.cutoffs},
    )
    session.add(experiment)
    session.flush()
    rights = {writer: "owner", PROMOTER: "write", "runmart": "read"}
    session.add_all(
        UserExperiment(user_id=user.user_id, experiment_id=experiment.experiment_id, permission_level=rights[user.username])
        for user in session.scalars(select(User).where(User.username.in_(rights)))
    )
    _ensure_search_space(session, writer)
    return experiment


def _ensure_search_space(session: Session, writer: str) -> None:
    name = "theta_weight"
    if session.scalar(select(HyperparameterSearchSpace).where(HyperparameterSearchSpace.space_name == name)) is None:
        session.add(
            HyperparameterSearchSpace(
                space_name=name,
                space_description="Weight of the trend line in the theta method; every value is tried.",
                model_type="Theta",
                framework=Theta.framework,
                search_space_definition={"theta": {"type": "categorical", "choices": list(_THETAS)}},
                created_by=writer,
            )
        )


def _count_tags(session: Session) -> None:
    for name, description in _TAGS.items():
        tag = session.scalar(select(Tag).where(Tag.tag_name == name))
        if tag is None:
            tag = Tag(tag_name=name, tag_category="demo", tag_description=description)
            session.add(tag)
        carriers = [session.scalar(select(func.count()).where(table.tags.has_key(name))) or 0 for table in (Experiment, Run, Model)]
        tag.usage_count = sum(carriers)


def _score_production(session: Session, model_id: int, delivered: Collection[int]) -> None:
    predictions = session.scalars(select(Prediction).where(Prediction.model_id == model_id)).all()
    rows = tracking.prediction_rows(predictions)
    is_new = pd.Series([prediction.prediction_id in delivered for prediction in predictions])
    scores = accuracy.scores(rows, is_new.map({True: "production", False: "earlier"}))
    scores = scores[scores["split"] == "production"]
    model = session.get_one(Model, model_id)
    tracking.add_scores(session, model.run, model, scores)
    tracking.add_summaries(session, model.run, "production")
    session.execute(
        update(ModelRegistry)
        .where(ModelRegistry.model_id == model_id, ModelRegistry.current_stage == "production")
        .values(production_metrics=dict(zip(scores["metric"], scores["value"], strict=True)))
    )
