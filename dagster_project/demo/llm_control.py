"""A made-up workload for the LLM workflow's control database: providers, their models, and what steps call by default.

Belongs here: these rows, and writing them down. Does not belong here: tenants, who are added with their databases, and what a tenant's
database holds (`llm_tenant`). Nothing of it was measured: no call is made, and no provider is asked what models it has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from dagster_project.demo.llm_runs import CALLS
from dagster_project.resources.databases import engine
from dagster_project.words import counted
from migrations.llm_control.models import Base, LlmModel, LlmProvider, StepLlmDefault

_PROVIDERS = {"claude": "Claude (Anthropic)", "gemini": "Gemini (Google)", "openai": "OpenAI"}

_COLUMNS_OF_MODELS = ("provider_id", "model_name", "model_class", "is_active")
_MODELS = (
    ("claude", "claude-opus-4-1", "pro", True),
    ("claude", "claude-sonnet-4-5", "standard", True),
    ("gemini", "gemini-2.5-pro", "pro", True),
    ("gemini", "gemini-2.5-flash", "standard", True),
    # What it was called before.
    ("gemini", "gemini-2.5-flash-preview-09-2025", "standard", False),
    ("openai", "gpt-5", "pro", True),
    ("openai", "gpt-5-mini", "standard", True),
)


@dataclass(frozen=True)
class FillSummary:
    """What `fill` added.

    Attributes:
        providers: Providers of models.
        models: Models.
        defaults: Steps with a default.
    """

    providers: int
    models: int
    defaults: int


def fill(url: str, home: Path, tell: Callable[[str], None]) -> FillSummary:
    """Write down what is not in the database yet; what is there stays as it is.

    Args:
        url: libpq URL of a migrated control database.
        home: Not needed: all of it is in the database.
        tell: Called with a line about what was done.
    """
    database = engine(url)
    with Session(database) as session, session.begin():
        summary = FillSummary(
            providers=_add(session, LlmProvider, [{"id": key, "display_name": name} for key, name in _PROVIDERS.items()]),
            models=_add(session, LlmModel, [dict(zip(_COLUMNS_OF_MODELS, model, strict=True)) for model in _MODELS]),
            defaults=_add(
                session,
                StepLlmDefault,
                [{"step": step, "provider_id": provider, "model_class": kind} for step, (provider, kind) in CALLS.items()],
            ),
        )
    database.dispose()
    tell(
        f"made up: {counted(summary.providers, 'provider')}, {counted(summary.models, 'model')} and "
        f"{counted(summary.defaults, 'default')} of steps added"
    )
    return summary


def _add(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows that are not there yet; how many these were."""
    return len(session.execute(insert(model).values(rows).on_conflict_do_nothing().returning(*model.__table__.primary_key)).all())
