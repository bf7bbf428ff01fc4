"""The tables of what tenants of the LLM workflow have handed over, as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: roles (`versions/`), and how rows come here (`dagster_project.resources.handover`). A
class's docstring is its table's comment. Times are UTC without a time zone, but for that of the hand-over itself.

Only what a customer's own words cannot be in has a place here: numbers, times, statuses, and names of steps, models and prices. The
contract of the system says which columns these are.
"""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import TIMESTAMP, CheckConstraint, Double, ForeignKeyConstraint, Index, Numeric
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from migrations.columns import KINDS, BigInt, Documented

_STATUSES = "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'paused', 'unknown')"


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own contract)
        **KINDS,
        uuid.UUID: UUID,
        datetime: TIMESTAMP,
        float: Double,
        Decimal: Numeric,
    }


class Run(Base):
    """Runs of the LLM workflow of all tenants."""

    __tablename__ = "runs"

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="Tenant whose run it is.")
    run_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="Key of the run at the tenant.")
    status: Mapped[str] = mapped_column(comment="queued, running, succeeded, failed, cancelled, paused, or unknown.")
    source_status: Mapped[str | None] = mapped_column(comment="Status in the words of the workflow.")
    current_step: Mapped[str | None] = mapped_column(comment="Step that the run is at; null before the first and after the last.")
    started_at: Mapped[datetime | None] = mapped_column(comment="When the run started (UTC).")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When the run ended (UTC).")
    wall_seconds: Mapped[float | None] = mapped_column(comment="Time from start to end in seconds; null if it did not end.")
    steps_total: Mapped[BigInt | None] = mapped_column(comment="Executions of steps.")
    steps_done: Mapped[BigInt | None] = mapped_column(comment="Executions of steps that are over.")
    retries: Mapped[BigInt | None] = mapped_column(comment="How often steps of the run were tried again.")

    __table_args__ = (CheckConstraint(_STATUSES, name="ck_runs_status"),)


class Step(Base):
    """Executions of steps of the LLM workflow of all tenants."""

    __tablename__ = "steps"

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="Tenant whose step it is.")
    step_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Key of the execution at the tenant.")
    run_id: Mapped[uuid.UUID] = mapped_column(comment="Run that the step belongs to.")
    step: Mapped[str] = mapped_column(comment="Name of the step.")
    status: Mapped[str] = mapped_column(comment="queued, running, succeeded, failed, cancelled, paused, or unknown.")
    source_status: Mapped[str | None] = mapped_column(comment="Status in the words of the workflow.")
    provider: Mapped[str | None] = mapped_column(comment="Provider of the model, as far as the tenant's warehouse knows it.")
    llm_model: Mapped[str | None] = mapped_column(comment="Model that was called, by the provider's name for it; null if none was.")
    retry_count: Mapped[int | None] = mapped_column(comment="How often the step was tried again.")
    started_at: Mapped[datetime | None] = mapped_column(comment="When the step started (UTC).")
    completed_at: Mapped[datetime | None] = mapped_column(comment="When the step ended, however it ended (UTC).")
    latency_seconds: Mapped[float | None] = mapped_column(comment="Time from start to end in seconds; null if it did not end.")
    input_tokens: Mapped[BigInt | None] = mapped_column(comment="Input that was neither read from a cache nor written to one.")
    cache_read_tokens: Mapped[BigInt | None] = mapped_column(comment="Input that was read from a cache.")
    cache_write_tokens: Mapped[BigInt | None] = mapped_column(comment="Input that was written to a cache.")
    output_tokens: Mapped[BigInt | None] = mapped_column(comment="Output that is no reasoning.")
    reasoning_tokens: Mapped[BigInt | None] = mapped_column(comment="Output that is reasoning.")
    price_version: Mapped[str | None] = mapped_column(comment="Version of the prices by which the cost was computed.")
    cost_usd: Mapped[Decimal | None] = mapped_column(comment="Cost in US dollars; null if no price is known.")
    wasted_cost_usd: Mapped[Decimal | None] = mapped_column(
        comment="The part of the cost that brought no result; null if no price is known."
    )

    __table_args__ = (
        CheckConstraint(_STATUSES, name="ck_steps_status"),
        ForeignKeyConstraint(["tenant_id", "run_id"], ["runs.tenant_id", "runs.run_id"]),
        Index("idx_steps_run", "tenant_id", "run_id"),
    )


class HandedOver(Base):
    """Up to where each tenant has handed over what it published; written with the rows themselves, in one transaction."""

    __tablename__ = "handed_over"

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="The tenant.")
    refresh_id: Mapped[BigInt] = mapped_column(comment="The last refresh of the tenant's warehouse that is reflected here.")
    handed_over_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), comment="When it was handed over.")
