"""The tables of the LLM workflow's control database as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: roles (`versions/`), rows of any kind, and the tables that each tenant has in a database
of its own (`migrations.llm_workflow`). A class's docstring is its table's comment. Times are UTC without a time zone.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from migrations.columns import KINDS, Documented

UTC_NOW = text("(now() AT TIME ZONE 'utc')")

_MODEL_CLASSES = "model_class IN ('pro', 'standard')"


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = KINDS


class Tenant(Base):
    """Tenants: customers, each with a database of its own."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(
        primary_key=True,
        comment="Short name of the tenant: lower-case letters, digits, _ and -. It is a part of paths, so it never changes.",
    )
    name: Mapped[str] = mapped_column(comment="Name of the tenant, for people.")
    database_url: Mapped[str] = mapped_column(
        comment="URL of the tenant's database, with its password: a secret. The platform uses it, and copies it nowhere."
    )
    created_at: Mapped[datetime] = mapped_column(server_default=UTC_NOW, comment="When the tenant was created (UTC).")
    is_active: Mapped[bool] = mapped_column(server_default=true(), comment="Whether the tenant is a customer still.")

    __table_args__ = (
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9_-]{0,37}$'", name="ck_tenants_id"),
        # Of its hash, because the message of a violation shows the value.
        Index("uq_tenants_database", text("md5(database_url)"), unique=True),
    )


class LlmProvider(Base):
    """Providers of language models."""

    __tablename__ = "llm_providers"

    id: Mapped[str] = mapped_column(primary_key=True, comment="Short name of the provider, such as claude, gemini or openai.")
    display_name: Mapped[str] = mapped_column(comment="Name of the provider, for people.")
    api_base_url: Mapped[str | None] = mapped_column(comment="URL that calls go to; null for the provider's own.")
    is_active: Mapped[bool] = mapped_column(server_default=true(), comment="Whether the provider may be called.")


class LlmModel(Base):
    """Language models that steps may call."""

    __tablename__ = "llm_models"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Key of the model.")
    provider_id: Mapped[str] = mapped_column(ForeignKey("llm_providers.id"), comment="Provider of the model.")
    model_name: Mapped[str] = mapped_column(comment="Name by which the provider knows the model.")
    model_class: Mapped[str] = mapped_column(comment="pro or standard.")
    is_active: Mapped[bool] = mapped_column(server_default=true(), comment="Whether the model may be called.")

    __table_args__ = (
        CheckConstraint(_MODEL_CLASSES, name="ck_llm_models_model_class"),
        UniqueConstraint("provider_id", "model_name"),
    )


class StepLlmDefault(Base):
    """Defaults: which class of models of which provider a step calls, unless a run says otherwise."""

    __tablename__ = "step_llm_defaults"

    step: Mapped[str] = mapped_column(primary_key=True, comment="Name of the step.")
    provider_id: Mapped[str] = mapped_column(ForeignKey("llm_providers.id"), comment="Provider that the step calls.")
    model_class: Mapped[str] = mapped_column(comment="pro or standard.")

    __table_args__ = (
        CheckConstraint(_MODEL_CLASSES, name="ck_step_llm_defaults_model_class"),
        Index("idx_step_llm_defaults_provider", "provider_id"),
    )
