"""The tables of the pipe service's database as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: what SQLAlchemy cannot say, that is partitions, triggers and roles (`versions/`), and
rows of any kind. A class's docstring is its table's comment.
"""

import uuid
from datetime import datetime
from typing import Annotated

from sqlalchemy import TIMESTAMP, CheckConstraint, FetchedValue, ForeignKey, Index, desc, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from migrations.columns import KINDS, BigInt, Documented, JsonList, JsonObject, Str20, Str50, Str63, Str100, Str255, Str500

NOW = text("CURRENT_TIMESTAMP")

Key = Annotated[uuid.UUID, mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))]
CreatedAt = Annotated[datetime, mapped_column(server_default=NOW)]
UpdatedAt = Annotated[datetime, mapped_column(server_default=NOW, server_onupdate=FetchedValue())]

_STATUSES = "status IN ('active', 'inactive', 'suspended', 'deleted')"


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = {**KINDS, uuid.UUID: UUID, datetime: TIMESTAMP(timezone=True)}  # noqa: RUF012 (SQLAlchemy's own contract)


class User(Base):
    """Users: people and services that sign in."""

    __tablename__ = "users"

    id: Mapped[Key]
    email: Mapped[Str255] = mapped_column(unique=True, comment="Address that the user signs in with.")
    name: Mapped[Str100]
    password_hash: Mapped[Str255] = mapped_column(comment="bcrypt hash of the password, made by the application.")
    status: Mapped[Str20] = mapped_column(
        server_default=text("'active'"), comment="active, inactive, suspended or deleted; a deleted user keeps the row."
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (CheckConstraint(_STATUSES, name="ck_users_status"),)


class Organization(Base):
    """Organizations: the owners of pipelines, files and API keys."""

    __tablename__ = "organizations"

    id: Mapped[Key]
    name: Mapped[Str100]
    plan_type: Mapped[Str50 | None] = mapped_column(
        server_default=text("'free'"), comment="Plan that the organization pays for, such as free."
    )
    status: Mapped[Str20] = mapped_column(
        server_default=text("'active'"), comment="active, inactive, suspended or deleted; a deleted organization keeps the row."
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    pipelines: Mapped[list["Pipeline"]] = relationship(back_populates="organization")

    __table_args__ = (CheckConstraint(_STATUSES, name="ck_organizations_status"),)


class OrganizationMember(Base):
    """Members: which user belongs to which organization, in which role."""

    __tablename__ = "organization_members"

    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[Str20] = mapped_column(comment="owner, admin, member or readonly.")
    joined_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'readonly')", name="ck_organization_members_role"),
        Index("idx_organization_members_user", "user_id"),
    )


class Pipeline(Base):
    """Pipelines: what an organization may run."""

    __tablename__ = "pipelines"

    id: Mapped[Key]
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[Str100]
    description: Mapped[str | None]
    config: Mapped[JsonObject] = mapped_column(comment="Definition of the pipeline, as JSON.")
    status: Mapped[Str20] = mapped_column(
        server_default=text("'active'"), comment="active, inactive, suspended or deleted; a deleted pipeline keeps the row."
    )
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), comment="User who created the pipeline.")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    organization: Mapped["Organization"] = relationship(back_populates="pipelines")
    runs: Mapped[list["PipelineRun"]] = relationship(back_populates="pipeline")

    __table_args__ = (
        CheckConstraint(_STATUSES, name="ck_pipelines_status"),
        Index("idx_pipelines_org", "organization_id"),
        Index("idx_pipelines_created_by", "created_by"),
    )


class PipelineRun(Base):
    """Runs: single executions of a pipeline; partitioned by calendar month."""

    __tablename__ = "pipeline_runs"

    id: Mapped[Key]
    pipeline_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("pipelines.id"))
    status: Mapped[Str20] = mapped_column(comment="queued, running, completed, failed or cancelled.")
    started_at: Mapped[CreatedAt] = mapped_column(
        primary_key=True, comment="When the run was put into the queue, or started if it never waited; a part of the key."
    )
    completed_at: Mapped[datetime | None] = mapped_column(comment="When the run ended, however it ended.")
    error_message: Mapped[str | None] = mapped_column(comment="Why the run failed.")
    metrics: Mapped[JsonObject | None] = mapped_column(comment="What the run measured about itself, as a JSON object.")
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), comment="User who started the run.")

    pipeline: Mapped["Pipeline"] = relationship(back_populates="runs")

    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name="ck_pipeline_runs_status"),
        Index("idx_pipeline_runs_pipeline", "pipeline_id"),
        Index("idx_pipeline_runs_status", "status"),
        Index("idx_pipeline_runs_created_by", "created_by"),
        {"postgresql_partition_by": "RANGE (started_at)"},
    )


class StorageFile(Base):
    """Files that an organization stores."""

    __tablename__ = "storage_files"

    id: Mapped[Key]
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    path: Mapped[Str500] = mapped_column(comment="Path of the file within the storage.")
    size: Mapped[BigInt] = mapped_column(comment="Size of the file in bytes.")
    mime_type: Mapped[Str100 | None]
    metadata_: Mapped[JsonObject | None] = mapped_column("metadata", comment="Free attributes of the file, as JSON.")
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), comment="User who stored the file.")
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        Index("idx_storage_files_org", "organization_id"),
        Index("idx_storage_files_path", "path"),
        Index("idx_storage_files_created_by", "created_by"),
    )


class ApiKey(Base):
    """API keys: how programs of an organization sign in."""

    __tablename__ = "api_keys"

    id: Mapped[Key]
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[Str100]
    key_hash: Mapped[Str255] = mapped_column(comment="Hash of the key, made by the application; the key itself is stored nowhere.")
    last_used_at: Mapped[datetime | None] = mapped_column(comment="When the key was last used; null if it never was.")
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"), comment="User who created the key.")
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None] = mapped_column(comment="From when on the key is refused; null if it does not expire.")

    __table_args__ = (
        Index("idx_api_keys_org", "organization_id"),
        Index("idx_api_keys_created_by", "created_by"),
    )


class AuditLog(Base):
    """Who changed which row when; which fields changed, but no values."""

    __tablename__ = "audit_logs"

    id: Mapped[Key]
    table_name: Mapped[Str63]
    operation: Mapped[Str20] = mapped_column(comment="INSERT, UPDATE, DELETE or TRUNCATE.")
    row_key: Mapped[JsonObject | None] = mapped_column(comment="Primary key of the row, as a JSON object; null for TRUNCATE.")
    changed_fields: Mapped[JsonList | None] = mapped_column(
        comment="Names of the columns that an update changed, as a JSON list; null for other operations."
    )
    database_role: Mapped[Str63] = mapped_column(comment="Database role that logged in (session_user).")
    user_id: Mapped[uuid.UUID | None] = mapped_column(
        comment="User on whose behalf the application acted, as its setting pipe_service.user_id says. "
        "No foreign key: the record outlives the user."
    )
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("operation IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')", name="ck_audit_logs_operation"),
        Index("idx_audit_logs_table", "table_name"),
        Index("idx_audit_logs_user", "user_id"),
        Index("idx_audit_logs_created_at", desc("created_at")),
    )
