"""The model registry of the demo: which version of a forecaster is in production, and why.

Belongs here: the promotion rule and its stage transitions. Does not belong here: computing the metrics that it goes by (`accuracy`).

The rule: every evaluated model becomes the next version of its experiment's forecaster, in staging. It goes to production if nothing is
there yet, or if its test MASE is lower than that of the version in production, which is then archived.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dagster_project.demo.tracking import utc_now
from migrations.forecast_tracking.models import Metric, Model, ModelRegistry

PROMOTER = "promotion-rule"


def register(session: Session, forecaster: str, model: Model) -> ModelRegistry:
    """Register a model under a forecaster's name and decide its stage.

    Args:
        session: Open session; the caller commits.
        forecaster: Registered name that the versions share.
        model: An evaluated model with a test MASE.
    """
    newest = session.scalar(select(func.max(ModelRegistry.model_version)).where(ModelRegistry.registered_model_name == forecaster))
    entry = ModelRegistry(
        model_id=model.model_id,
        registered_model_name=forecaster,
        model_version=(newest or 0) + 1,
        current_stage="staging",
        description=model.model_name,
        tags=model.tags,
    )
    champion = session.scalar(
        select(ModelRegistry).where(ModelRegistry.registered_model_name == forecaster, ModelRegistry.current_stage == "production")
    )
    mase = _test_mase(session, model.model_id)
    if champion is None:
        _promote(entry, f"test MASE {mase:.4f}; nothing was in production")
    else:
        best = _test_mase(session, champion.model_id)
        if mase < best:
            _move(champion, "archived")
            _promote(entry, f"test MASE {mase:.4f}, lower than {best:.4f} of version {champion.model_version}")
        else:
            entry.approval_notes = f"not promoted: test MASE {mase:.4f}, not lower than {best:.4f} of version {champion.model_version}"
    session.add(entry)
    session.flush()
    return entry


def _promote(entry: ModelRegistry, notes: str) -> None:
    _move(entry, "production")
    entry.approved_by = PROMOTER
    entry.approved_at = entry.stage_transition_at
    entry.approval_notes = notes


def _move(entry: ModelRegistry, stage: str) -> None:
    entry.previous_stage, entry.current_stage = entry.current_stage, stage
    entry.stage_transition_at = utc_now()


def _test_mase(session: Session, model_id: int) -> float:
    value = session.scalar(
        select(func.avg(Metric.metric_value)).where(
            Metric.model_id == model_id, Metric.metric_name == "mase", Metric.dataset_type == "test"
        )
    )
    if value is None:
        raise ValueError(f"model {model_id} has no test MASE to decide its stage by")
    return float(value)
