"""The tables of a tenant's database of the LLM workflow as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: what SQLAlchemy cannot say, that is the trigger and the roles (`versions/`), rows of any
kind, and what all tenants share (`migrations.llm_control`). A class's docstring is its table's comment. Times are UTC without a time zone.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from migrations.columns import KINDS, BigInt, Documented, JsonObject

UTC_NOW = text("(now() AT TIME ZONE 'utc')")

JsonObjectOrList = dict[str, Any] | list[dict[str, Any]]


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = {**KINDS, uuid.UUID: UUID, datetime: TIMESTAMP}  # noqa: RUF012 (SQLAlchemy's own contract)


class Prompt(Base):
    """Prompts of steps, in all their versions."""

    __tablename__ = "prompts"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Key of the version.")
    step: Mapped[str] = mapped_column(comment="Step that the prompt is for.")
    version: Mapped[int] = mapped_column(comment="Number of the version, from 1.")
    content: Mapped[str] = mapped_column(comment="Text of the prompt.")
    variables: Mapped[JsonObject | None] = mapped_column(comment="What is put into the text, as a JSON object.")
    is_active: Mapped[bool] = mapped_column(server_default=true(), comment="Whether this is the version that the step uses now.")

    __table_args__ = (
        CheckConstraint("version > 0", name="ck_prompts_version"),
        UniqueConstraint("step", "version"),
        Index("uq_prompts_active_version", "step", unique=True, postgresql_where=text("is_active")),
    )


class Run(Base):
    """Runs of the workflow."""

    __tablename__ = "runs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"), comment="Key of the run.")
    status: Mapped[str] = mapped_column(comment="pending, running, paused, completed or failed.")
    current_step: Mapped[str | None] = mapped_column(comment="Step that the run is at; null before the first and after the last.")
    config: Mapped[JsonObject | None] = mapped_column(comment="What was asked of the run, as JSON.")
    created_at: Mapped[datetime] = mapped_column(server_default=UTC_NOW, comment="When the run was created (UTC).")
    updated_at: Mapped[datetime] = mapped_column(
        server_default=UTC_NOW, server_onupdate=FetchedValue(), comment="When the row was last changed (UTC)."
    )

    __table_args__ = (CheckConstraint("status IN ('pending', 'running', 'paused', 'completed', 'failed')", name="ck_runs_status"),)


class Step(Base):
    """Steps of runs: single executions."""

    __tablename__ = "steps"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Key of the execution.")
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id"), comment="Run that the step belongs to.")
    step: Mapped[str] = mapped_column(comment="Name of the step.")
    status: Mapped[str] = mapped_column(comment="pending, running, paused, completed, failed or skipped.")
    llm_model: Mapped[str | None] = mapped_column(comment="Model that was called, by the provider's name for it; null if none was.")
    token_usage: Mapped[JsonObjectOrList | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="Tokens as the provider reported them, a JSON object in its own shape; of a streamed answer a list of all reports, "
        "in their order. Null if nothing was reported.",
    )
    error_message: Mapped[str | None] = mapped_column(comment="Why the step failed, or had to be tried again.")
    retry_count: Mapped[int] = mapped_column(server_default=text("0"), comment="How often the step was tried again.")
    started_at: Mapped[datetime] = mapped_column(
        server_default=UTC_NOW, comment="When the step started, or the row was written if it has not (UTC)."
    )
    completed_at: Mapped[datetime | None] = mapped_column(comment="When the step ended, however it ended (UTC).")
    prompt_version: Mapped[int | None] = mapped_column(comment="Version of the step's prompt that was used; null if none was.")

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'running', 'paused', 'completed', 'failed', 'skipped')", name="ck_steps_status"),
        CheckConstraint("jsonb_typeof(token_usage) IN ('object', 'array')", name="ck_steps_token_usage"),
        CheckConstraint("retry_count >= 0", name="ck_steps_retry_count"),
        CheckConstraint("completed_at >= started_at", name="ck_steps_times"),
        ForeignKeyConstraint(["step", "prompt_version"], ["prompts.step", "prompts.version"]),
        Index("idx_steps_run", "run_id"),
        Index("idx_steps_prompt", "step", "prompt_version"),
    )


class Artifact(Base):
    """Files that steps wrote; their content is in the storage."""

    __tablename__ = "artifacts"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Key of the file.")
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("runs.id"), comment="Run that wrote the file.")
    step: Mapped[str] = mapped_column(comment="Step that wrote the file.")
    file_type: Mapped[str] = mapped_column(comment="Format of the file, such as json or html.")
    file_path: Mapped[str] = mapped_column(
        unique=True,
        comment="Path in the storage: storage/<tenant>/<run>/<step>/output.json, or a path in artifacts/ beside it.",
    )
    digest: Mapped[str] = mapped_column(comment="SHA-256 of the content, in 64 lower-case hexadecimal digits.")
    metadata_: Mapped[JsonObject | None] = mapped_column(
        "metadata", comment="Free attributes, as JSON: summary, a short text for people, and metrics, such as the number of characters."
    )
    created_at: Mapped[datetime] = mapped_column(server_default=UTC_NOW, comment="When the file was written (UTC).")
    size_bytes: Mapped[BigInt] = mapped_column(comment="Size of the content in bytes.")

    __table_args__ = (
        CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="ck_artifacts_digest"),
        CheckConstraint("size_bytes >= 0", name="ck_artifacts_size_bytes"),
        Index("idx_artifacts_run", "run_id"),
    )


class AuditLog(Base):
    """Who did what to which object."""

    __tablename__ = "audit_logs"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Key of the record.")
    user_id: Mapped[str] = mapped_column(comment="User who did it, by the application's key.")
    action: Mapped[str] = mapped_column(comment="What was done, such as run.start.")
    resource_type: Mapped[str] = mapped_column(comment="Kind of the object, such as run or prompt.")
    resource_id: Mapped[str] = mapped_column(comment="Key of the object. No foreign key: the record outlives the object.")
    details: Mapped[JsonObject | None] = mapped_column(comment="Whatever else the application wrote down, as JSON.")
    created_at: Mapped[datetime] = mapped_column(server_default=UTC_NOW, comment="When it was done (UTC).")
