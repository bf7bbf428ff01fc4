"""Made-up runs of the LLM workflow: what a tenant's database and storage hold, drawn from the tenant's name.

Belongs here: which steps, prompts and runs there are, how runs end, and what they leave. Does not belong here: how tokens are reported
(`llm_tokens`), and writing it down (`llm_tenant`). The same name and number give the same run, however many there are.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from dagster_project.demo.llm_tokens import SHAPES, Tokens, Usage

Row = dict[str, Any]

# The steps of a run in their order; those that call a model with the provider and the class of models that they call by default.
STEPS = ("keywords", "sources", "outline", "draft", "review", "publish")
CALLS = {
    "keywords": ("gemini", "standard"),
    "outline": ("claude", "standard"),
    "draft": ("claude", "pro"),
    "review": ("openai", "pro"),
}

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "llm_workflow")
_BEGIN = datetime(2025, 10, 6, 8)  # noqa: DTZ001 (times of this database are UTC without a zone)
_BETWEEN_RUNS = timedelta(hours=5)
# In the middle of a day: a model goes by a new name, and prompts have a new version.
_CHANGED_AT = datetime(2025, 10, 9, 12)  # noqa: DTZ001
_LATE = timedelta(days=9)

# What runs of each provider call, by the class of models; a run may ask for another provider than the default.
_CALLED = {
    ("claude", "pro"): "claude-opus-4-1",
    ("claude", "standard"): "claude-sonnet-4-5",
    ("gemini", "pro"): "gemini-2.5-pro",
    ("gemini", "standard"): "gemini-2.5-flash",
    ("openai", "pro"): "gpt-5",
    ("openai", "standard"): "gpt-5-mini",
    # In no list of models, and without a price.
    ("in_house", "pro"): "qwen2.5-72b-instruct",
    ("in_house", "standard"): "qwen2.5-72b-instruct",
}
_BEFORE_IT_WAS_RENAMED = {"gemini-2.5-flash": "gemini-2.5-flash-preview-09-2025"}
_ASKED_FOR = (None, "claude", None, "openai", None, "gemini", "in_house")

_TOPICS = ("green tea", "bicycle lights", "houseplants", "保険の選び方", "sourdough", "hiking boots")
_USERS = ("editor-1", "editor-2", "scheduler")

# Of twenty runs, these do not simply complete: at which step they stop, with which status, and what becomes of the run.
_STOPS = {
    3: ("draft", "failed", "failed"),
    5: ("review", "paused", "paused"),
    13: ("outline", "failed", "failed"),
    17: ("draft", "running", "running"),
    19: ("keywords", "pending", "pending"),
}
_UNANSWERED, _RETRIED, _LATELY_CHANGED, _WITHOUT_USAGE, _LONG, _DELETED = 13, 7, 8, 2, 11, 14
_PERIOD = 20


@dataclass(frozen=True)
class File:
    """A file of the storage with its row.

    Attributes:
        row: The row of `artifacts`.
        content: What is in the file.
    """

    row: Row
    content: bytes


@dataclass(frozen=True)
class Story:
    """One run with all that it leaves.

    Attributes:
        run: The row of `runs`; None if the run was deleted, with its steps and files.
        steps: Rows of `steps`, in their order.
        files: What the steps wrote.
        logs: Rows of `audit_logs`.
    """

    run: Row | None
    steps: tuple[Row, ...]
    files: tuple[File, ...]
    logs: tuple[Row, ...]


def prompts() -> Iterator[Row]:
    """Rows of `prompts`: of each step that calls a model an old version, the active one, and of one step a version that waits."""
    for step in CALLS:
        for version, text in enumerate(("Write {{step}} about {{topic}}.", "Write {{step}} about {{topic}}, for {{readers}}."), start=1):
            variables = {"topic": "text", **({"readers": "text"} if version > 1 else {})}
            content = f"Made up. {text.replace('{{step}}', step)}"
            yield {"step": step, "version": version, "content": content, "variables": variables, "is_active": version == 2}
    yield {"step": "review", "version": 3, "content": "Made up. Check {{topic}}.", "variables": None, "is_active": False}


def stories(tenant: str, count: int) -> Iterator[Story]:
    """The first runs of a tenant, in their order.

    Args:
        tenant: Name of the tenant; each has runs of its own.
        count: How many.
    """
    return (_Telling(tenant, number).story() for number in range(count))


class _Telling:
    """One run as it goes on."""

    def __init__(self, tenant: str, number: int) -> None:
        self._tenant, self._number, self._place = tenant, number, number % _PERIOD
        self._draw = Random(f"{tenant}/{number}")  # noqa: S311 (no secret)
        self._run_id = uuid.uuid5(_NAMESPACE, f"{tenant}/{number}")
        self._created_at = _BEGIN + number * _BETWEEN_RUNS + timedelta(seconds=self._draw.randrange(3600))
        self._clock = self._created_at
        self._topic = self._draw.choice(_TOPICS)

    def story(self) -> Story:
        """The run from its start to where it has come."""
        user = self._draw.choice(_USERS)
        logs = [self._log(user, "run.start", {"topic": self._topic})]
        stop, step_status, run_status = _STOPS.get(self._place, (None, "completed", "completed"))
        steps: list[Row] = []
        files: list[File] = []
        for index, step in enumerate(STEPS):
            status = step_status if step == stop else self._usual_status(step)
            steps.append(self._step(index, step, status))
            files += self._files(step) if status == "completed" else []
            if step == stop:
                break
        if run_status == "paused":
            logs.append(self._log(user, "run.pause", None))
        if self._place == _DELETED:
            return Story(None, (), (), (*logs, self._log(user, "run.delete", {"reason": "made up"})))
        if self._place == _LATELY_CHANGED:
            self._clock += _LATE
            logs.append(self._log(user, "run.edit", None))
        run = {
            "id": self._run_id,
            "status": run_status,
            "current_step": None if run_status in ("completed", "pending") else stop,
            "config": {"topic": self._topic, "is_made_up": True},
            "created_at": self._created_at,
            "updated_at": self._clock,
        }
        return Story(run, tuple(steps), tuple(files), tuple(logs))

    def _usual_status(self, step: str) -> str:
        return "skipped" if step == "sources" and self._number % 4 == 1 else "completed"

    def _step(self, index: int, step: str, status: str) -> Row:
        """One execution; the clock goes on by as long as it took."""
        self._clock += timedelta(seconds=1)
        started_at = self._clock
        retries = {"failed": 3}.get(status, 2 if self._place == _RETRIED and step in ("outline", "draft") else 0)
        if status in ("completed", "failed"):
            self._clock += timedelta(milliseconds=self._draw.randrange(800, 90_000) * (1 + retries))
        is_called = step in CALLS and status != "pending"
        provider, model = self._model(step) if is_called else (None, None)
        return {
            "run_id": self._run_id,
            "step": step,
            "status": status,
            "llm_model": model,
            "token_usage": self._usage(provider, step, index) if provider and self._is_reported(step, status) else None,
            "error_message": self._error(status, retries),
            "retry_count": retries,
            "started_at": started_at,
            "completed_at": self._clock if status in ("completed", "failed", "skipped") else None,
            "prompt_version": (1 if started_at < _CHANGED_AT else 2) if is_called else None,
        }

    def _model(self, step: str) -> tuple[str, str]:
        """The provider that the step calls, and the model by the name that it has at the time."""
        default, kind = CALLS[step]
        provider = _ASKED_FOR[self._number % len(_ASKED_FOR)] or default
        model = _CALLED[provider, kind]
        return provider, _BEFORE_IT_WAS_RENAMED.get(model, model) if self._clock < _CHANGED_AT else model

    def _is_reported(self, step: str, status: str) -> bool:
        """Who has not answered has reported nothing; some who have forget it."""
        if status == "failed":
            return self._place != _UNANSWERED
        return status == "completed" and not (self._place == _WITHOUT_USAGE and step == "review")

    def _usage(self, provider: str, step: str, index: int) -> Usage:
        draw = self._draw.randrange
        shapes = SHAPES[provider]
        is_long = self._place == _LONG and step == "draft"
        tokens = Tokens(
            fresh=draw(210_000, 260_000) if is_long else draw(200, 9_000),
            cached=draw(1_000, 20_000) if draw(3) else 0,
            written=draw(500, 4_000) if provider == "claude" and not draw(3) else 0,
            output=draw(50, 4_000),
            reasoning=draw(100, 6_000) if CALLS[step][1] == "pro" else 0,
        )
        return shapes[(self._number + index) % len(shapes)](tokens)

    def _error(self, status: str, retries: int) -> str | None:
        if status == "failed":
            return "no answer within 60 s" if self._place == _UNANSWERED else "the answer is no valid JSON"
        return "429: too many requests" if retries else None

    def _files(self, step: str) -> Iterator[File]:
        """What a step writes: its output, and an article beside that of the draft."""
        text = f"Made up by no model: {step} about {self._topic}. " + "Lorem ipsum. " * self._draw.randrange(1, 40)
        output = {"is_made_up": True, "step": step, "text": text}
        yield self._file(step, "output.json", "json", json.dumps(output, ensure_ascii=False))
        if step == "draft":
            yield self._file(step, "artifacts/article.html", "html", f"<!doctype html><meta charset=utf-8><p>{text}</p>")

    def _file(self, step: str, name: str, file_type: str, text: str) -> File:
        content = text.encode()
        row = {
            "run_id": self._run_id,
            "step": step,
            "file_type": file_type,
            "file_path": f"storage/{self._tenant}/{self._run_id}/{step}/{name}",
            "digest": hashlib.sha256(content).hexdigest(),
            "metadata_": {"summary": f"{step} about {self._topic}", "metrics": {"characters": len(text)}},
            "created_at": self._clock,
            "size_bytes": len(content),
        }
        return File(row, content)

    def _log(self, user: str, action: str, details: Row | None) -> Row:
        """A record of what somebody did with the run now."""
        return {
            "user_id": user,
            "action": action,
            "resource_type": "run",
            "resource_id": str(self._run_id),
            "details": details,
            "created_at": self._clock,
        }
