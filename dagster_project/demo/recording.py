"""Recording an attempt of the demo in the forecast tracking database, complete or not.

Belongs here: how an outcome becomes rows and files. Does not belong here: carrying it out (`attempts`).
"""

import json
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from dagster_project.demo import accuracy, backtest, tracking
from dagster_project.demo.attempts import Attempt, Outcome, Trial
from dagster_project.demo.backtest import Plan
from dagster_project.demo.forecasters import Forecaster, IterationBudgetError
from dagster_project.demo.registry import register
from dagster_project.demo.tracking import StoredFile
from migrations.forecast_tracking.models import Dataset, Experiment, Hyperparameter, Model, Run, SystemLog

SOURCE = "dagster_project/demo/forecast_tracking.py"
_PARAMETER_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "float"}


@dataclass(frozen=True)
class Recorder:
    """Records the attempts of one experiment.

    Attributes:
        session: Open session; the caller commits.
        experiment: The experiment.
        dataset: What its models are trained on.
        plan: How it backtests.
        username: Who runs it.
        folder: Where the files of the workload are.
    """

    session: Session
    experiment: Experiment
    dataset: Dataset
    plan: Plan
    username: str
    folder: Path

    def record(self, attempt: Attempt, outcome: Outcome, configuration: dict[str, Any]) -> None:
        """Write the run with all that belongs to it."""
        fingerprint = tracking.fingerprint(configuration)
        folder = self.folder / self.experiment.experiment_name / fingerprint[:12]
        run = self._run(attempt, outcome, fingerprint, configuration)
        self._artifact(run, folder / "config.json", _json(configuration), "config", "Configuration of the run.")
        self._hyperparameters(run, outcome.forecaster, is_trial=False)
        for trial in outcome.trials:
            self._trial(run, trial, configuration)
        self._logs(run, outcome)
        if outcome.error is None:
            self._model(run, outcome, folder)
        else:
            self._failure(run, outcome, outcome.error, folder)
        tracking.add_summaries(self.session, run, "train", "validation", "test")

    def _run(self, attempt: Attempt, outcome: Outcome, fingerprint: str, configuration: dict[str, Any]) -> Run:
        return tracking.new_run(
            self.session,
            self.experiment,
            fingerprint,
            outcome.watch.started_at,
            outcome.seconds,
            run_name=attempt.name,
            status=outcome.status,
            source_type="script",
            source_name=SOURCE,
            user_id=self.username,
            tags={"method": attempt.method.model_type, "role": attempt.role},
            metadata_=configuration,
        )

    def _trial(self, parent: Run, trial: Trial, configuration: dict[str, Any]) -> None:
        settings = configuration | {"candidates": [trial.forecaster.hyperparameters], "parent": parent.run_fingerprint}
        values = ", ".join(f"{key}={value}" for key, value in trial.forecaster.hyperparameters.items())
        run = tracking.new_run(
            self.session,
            self.experiment,
            tracking.fingerprint(settings),
            trial.watch.started_at,
            trial.seconds,
            parent_run_id=parent.run_id,
            run_name=f"{parent.run_name}, trial {values}",
            status="completed",
            source_type="script",
            source_name=SOURCE,
            user_id=self.username,
            tags={"method": trial.forecaster.model_type, "role": "trial"},
            metadata_=settings,
        )
        self._hyperparameters(run, trial.forecaster, is_trial=True)
        tracking.add_scores(self.session, run, None, trial.scores)
        tracking.add_summaries(self.session, run, "validation")

    def _hyperparameters(self, run: Run, forecaster: Forecaster, *, is_trial: bool) -> None:
        settings = {"horizon": self.plan.horizon, "cutoffs": self.plan.cutoffs, "levels": list(self.plan.levels)}
        self.session.add_all(
            Hyperparameter(
                run_id=run.run_id,
                param_key=key,
                param_value=value if isinstance(value, str) else json.dumps(value),
                param_type=_PARAMETER_TYPES.get(type(value), "json"),
                is_hyperparameter=key not in settings,
                param_category="backtest" if key in settings else "search" if is_trial else "method",
            )
            for key, value in (forecaster.hyperparameters | settings).items()
        )

    def _model(self, run: Run, outcome: Outcome, folder: Path) -> None:
        forecaster, rows = outcome.forecaster, backtest.prediction_rows(outcome.fits)
        fitted = [
            {"unique_id": f.window.series.unique_id, "cutoff": f.window.cutoff.isoformat(), **f.forecast.parameters} for f in outcome.fits
        ]
        content = _json({"method": forecaster.model_type, "hyperparameters": forecaster.hyperparameters, "fits": fitted})
        file = self._artifact(run, folder / "model.json", content, "model", "Fitted parameters per series and cutoff.")
        forecasts = backtest.cross_validation_frame(rows, forecaster.model_type).to_csv(index=False)
        self._artifact(run, folder / "forecasts.csv", forecasts, "prediction", "Forecasts in Nixtla's cross-validation shape.")
        model = Model(
            model_uuid=tracking.stable_uuid("model", run.run_uuid),
            run_id=run.run_id,
            model_name=f"{self.experiment.experiment_name} {run.run_name}",
            model_type=forecaster.model_type,
            framework=forecaster.framework,
            framework_version=forecaster.framework_version,
            model_config={"method": forecaster.model_type, "levels": list(self.plan.levels), **forecaster.hyperparameters},
            hyperparameters=forecaster.hyperparameters,
            training_dataset_id=self.dataset.dataset_id,
            training_samples=sum(len(fit.window.sample.values) for fit in outcome.fits),
            training_duration_seconds=outcome.fit_seconds,
            model_size_bytes=file.size_bytes,
            model_file_path=str(file.path),
            status="evaluated",
            tags=run.tags,
        )
        self.session.add(model)
        self.session.flush()
        for fit in outcome.fits:
            context = f"backtest_fold_{fit.window.fold}/{fit.window.series.unique_id}"
            tracking.add_steps(self.session, run, model, context, fit.forecast.log_likelihoods)
        tracking.add_scores(self.session, run, model, accuracy.scores(rows, accuracy.splits(rows)))
        tracking.add_predictions(self.session, run, model, rows)
        register(self.session, f"{self.experiment.experiment_name} forecaster", model)

    def _failure(self, run: Run, outcome: Outcome, error: Exception, folder: Path) -> None:
        trace = "".join(traceback.format_exception(error))
        self._artifact(run, folder / "error.txt", trace, "log", "What ended the run.")
        self._log(
            run,
            "WARNING" if outcome.status == "killed" else "ERROR",
            f"run {outcome.status}: {error}",
            stack_trace=trace,
            exception_type=type(error).__name__,
        )
        if isinstance(error, IterationBudgetError):
            tracking.add_steps(self.session, run, None, "interrupted fit", error.log_likelihoods)

    def _logs(self, run: Run, outcome: Outcome) -> None:
        messages = [(warning.category.__name__, str(warning.message)) for warning in outcome.warnings]
        for category, message in sorted(set(messages)):
            extra = {"occurrences": messages.count((category, message))}
            self._log(run, "WARNING", message, exception_type=category, extra_data=extra)
        if outcome.error is None:
            self._log(run, "INFO", f"run completed: {len(outcome.fits)} fits")

    def _log(self, run: Run, level: str, message: str, **columns: object) -> None:
        source = "dagster_project.demo"
        self.session.add(
            SystemLog(log_level=level, log_message=message, log_source=source, run_id=run.run_id, user_id=self.username, **columns)
        )

    def _artifact(self, run: Run, path: Path, content: str, kind: str, description: str) -> StoredFile:
        file = StoredFile.write(path, content)
        tracking.add_artifact(self.session, run, file, kind=kind, relative_to=self.folder, description=description)
        return file


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
