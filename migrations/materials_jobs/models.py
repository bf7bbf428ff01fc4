"""The tables of the materials job database as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: what SQLAlchemy cannot say, that is partitions, triggers and roles (`versions/`), and
rows of any kind. A class's docstring is its table's comment.
"""

from datetime import datetime
from typing import Annotated

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from migrations.columns import KINDS, BigInt, Documented, JsonObject

Key = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=True)]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
UpdatedAt = Annotated[datetime, mapped_column(server_default=func.now(), server_onupdate=FetchedValue())]


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = {**KINDS, datetime: TIMESTAMP(timezone=True)}  # noqa: RUF012 (SQLAlchemy's own contract)


class User(Base):
    """Users: people and services of the materials team."""

    __tablename__ = "users"

    id: Mapped[Key]
    username: Mapped[str] = mapped_column(unique=True, comment="Also the database role of the user, where there is one.")
    email: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(
        server_default=true(), comment="False for a user who has left; users who did something are not deleted."
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = ({"schema": "app"},)


class Project(Base):
    """Projects: groups of jobs that belong to one user."""

    __tablename__ = "projects"

    id: Mapped[Key]
    owner_id: Mapped[BigInt] = mapped_column(ForeignKey("app.users.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(comment="Name of the project, unique among those of its owner.")
    description: Mapped[str | None]
    is_public: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    owner: Mapped["User"] = relationship()
    jobs: Mapped[list["Job"]] = relationship(back_populates="project", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (UniqueConstraint("owner_id", "name"), {"schema": "app"})


class Job(Base):
    """Jobs: simulations to be run, once or in several attempts."""

    __tablename__ = "jobs"

    id: Mapped[Key]
    project_id: Mapped[BigInt] = mapped_column(ForeignKey("app.projects.id", ondelete="CASCADE"))
    created_by: Mapped[BigInt | None] = mapped_column(ForeignKey("app.users.id"))
    name: Mapped[str | None]
    description: Mapped[str | None]
    type: Mapped[str] = mapped_column(comment="What computes the job, such as comsol, vasp or emt.")
    parameters: Mapped[JsonObject | None] = mapped_column(comment="Input of the simulation as a JSON object; units stand in the names.")
    status: Mapped[str] = mapped_column(
        server_default=text("'pending'"),
        comment="That of the newest run, kept by a trigger; pending without a run and while that is queued.",
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    project: Mapped["Project"] = relationship(back_populates="jobs")
    runs: Mapped[list["JobRun"]] = relationship(back_populates="job", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'running', 'success', 'failed')", name="ck_jobs_status"),
        Index("jobs_project_id_idx", "project_id"),
        Index("jobs_created_by_idx", "created_by"),
        Index("jobs_status_idx", "status"),
        Index("jobs_created_at_idx", "created_at"),
        Index("jobs_parameters_idx", "parameters", postgresql_using="gin"),
        {"schema": "app"},
    )


class JobRun(Base):
    """Runs: attempts at a job; partitioned by calendar month (UTC) of created_at."""

    __tablename__ = "job_runs"

    id: Mapped[Key]
    job_id: Mapped[BigInt] = mapped_column(ForeignKey("app.jobs.id", ondelete="CASCADE"))
    run_number: Mapped[int] = mapped_column(server_default=text("1"), comment="Number of the attempt, unique within the job.")
    status: Mapped[str] = mapped_column(server_default=text("'queued'"))
    started_at: Mapped[datetime | None] = mapped_column(comment="When a worker took the run up; created_at is when it was queued.")
    finished_at: Mapped[datetime | None]
    exit_code: Mapped[int | None] = mapped_column(comment="Exit code of the process; negative: the signal that killed it.")
    metadata_: Mapped[JsonObject | None] = mapped_column(
        "metadata", comment="What is known of the run beside its columns, as a JSON object; units stand in the names."
    )
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True, comment="When the run was queued; part of its key, and never changed.")

    job: Mapped["Job"] = relationship(back_populates="runs")
    files: Mapped[list["File"]] = relationship(back_populates="job_run", passive_deletes=True)
    vasp_results: Mapped[list["VaspResult"]] = relationship(back_populates="job_run", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'success', 'failed')", name="ck_job_runs_status"),
        CheckConstraint("run_number > 0", name="ck_job_runs_run_number"),
        CheckConstraint("finished_at >= started_at", name="ck_job_runs_times"),
        Index("job_runs_job_id_idx", "job_id"),
        Index("job_runs_status_idx", "status"),
        Index("job_runs_created_at_idx", "created_at"),
        Index("uq_job_runs_job_id_run_number_created_at", "job_id", "run_number", "created_at", unique=True),
        {"schema": "app", "postgresql_partition_by": "RANGE (created_at)"},
    )


class File(Base):
    """Files that runs read or wrote; their content is kept elsewhere."""

    __tablename__ = "files"

    id: Mapped[Key]
    project_id: Mapped[BigInt | None] = mapped_column(ForeignKey("app.projects.id", ondelete="SET NULL"))
    job_run_id: Mapped[BigInt | None]
    job_run_created_at: Mapped[datetime | None] = mapped_column(comment="created_at of the run, the second part of its key.")
    name: Mapped[str]
    mime_type: Mapped[str | None]
    storage_path: Mapped[str] = mapped_column(comment="Key in the object store, or path.")
    size_bytes: Mapped[BigInt | None]
    created_by: Mapped[BigInt | None] = mapped_column(ForeignKey("app.users.id"))
    created_at: Mapped[CreatedAt]

    job_run: Mapped["JobRun | None"] = relationship(back_populates="files")

    __table_args__ = (
        CheckConstraint("size_bytes >= 0", name="ck_files_size_bytes"),
        CheckConstraint("(job_run_id IS NULL) = (job_run_created_at IS NULL)", name="ck_files_job_run"),
        ForeignKeyConstraint(["job_run_id", "job_run_created_at"], ["app.job_runs.id", "app.job_runs.created_at"], ondelete="SET NULL"),
        Index("files_project_id_idx", "project_id"),
        Index("files_job_run_id_idx", "job_run_id", "job_run_created_at"),
        Index("files_created_by_idx", "created_by"),
        Index("files_created_at_idx", "created_at"),
        {"schema": "app"},
    )


class Material(Base):
    """Materials with their composition and known properties."""

    __tablename__ = "materials"

    id: Mapped[Key]
    external_id: Mapped[str | None] = mapped_column(unique=True, comment="Identifier of the material in an outside system.")
    name: Mapped[str | None]
    composition: Mapped[JsonObject | None] = mapped_column(comment="Atoms per formula unit, a JSON object by chemical symbol.")
    properties: Mapped[JsonObject | None] = mapped_column(comment="Properties as a JSON object; units stand in the names.")
    created_at: Mapped[CreatedAt]

    __table_args__ = (Index("materials_properties_idx", "properties", postgresql_using="gin"), {"schema": "app"})


class VaspResult(Base):
    """Results of atomistic computations, as light metadata; the whole result is a file."""

    __tablename__ = "vasp_results"

    id: Mapped[Key]
    job_run_id: Mapped[BigInt | None]
    job_run_created_at: Mapped[datetime | None] = mapped_column(comment="created_at of the run, the second part of its key.")
    result_path: Mapped[str | None] = mapped_column(comment="Path of the Parquet file, or key in the object store.")
    summary: Mapped[JsonObject | None] = mapped_column(comment="The main numbers of the result as a JSON object; units stand in the names.")
    created_at: Mapped[CreatedAt]

    job_run: Mapped["JobRun | None"] = relationship(back_populates="vasp_results")

    __table_args__ = (
        CheckConstraint("(job_run_id IS NULL) = (job_run_created_at IS NULL)", name="ck_vasp_results_job_run"),
        ForeignKeyConstraint(["job_run_id", "job_run_created_at"], ["app.job_runs.id", "app.job_runs.created_at"], ondelete="CASCADE"),
        Index("vasp_results_job_run_id_idx", "job_run_id", "job_run_created_at"),
        Index("vasp_results_created_at_idx", "created_at"),
        {"schema": "app"},
    )


class Log(Base):
    """Important operations: who did what to which object."""

    __tablename__ = "logs"

    id: Mapped[Key]
    who: Mapped[BigInt | None] = mapped_column(
        ForeignKey("app.users.id"), comment="User who acted; null for a database role that is no user."
    )
    action: Mapped[str] = mapped_column(comment="insert, update, delete or truncate; the application may record actions of its own.")
    object_type: Mapped[str | None] = mapped_column(comment="Kind of the object, such as project or job.")
    object_id: Mapped[str | None] = mapped_column(comment="Key of the object, as text.")
    payload: Mapped[JsonObject | None] = mapped_column(
        comment="Database role that acted, and the row, or what was changed with old and new value."
    )
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        Index("logs_who_idx", "who"),
        Index("logs_action_idx", "action"),
        Index("logs_created_at_idx", "created_at"),
        {"schema": "audit"},
    )
