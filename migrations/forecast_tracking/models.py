"""The tables of the forecast tracking database as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: what SQLAlchemy cannot say, that is partitions, triggers, policies, roles and
materialized views (`versions/`), and rows of any kind. A class's docstring is its table's comment. Times are UTC without a time zone.
"""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Double,
    FetchedValue,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    desc,
    false,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from migrations.columns import KINDS, BigInt, Documented, JsonList, JsonObject, Str20, Str40, Str50, Str64, Str100, Str255

UTC_NOW = text("(now() AT TIME ZONE 'utc')")

Key = Annotated[int, mapped_column(BigInteger, primary_key=True)]
Uuid = Annotated[uuid.UUID, mapped_column(UUID, unique=True, server_default=text("gen_random_uuid()"))]
Seconds = Annotated[Decimal, "seconds"]
Count = Annotated[int, mapped_column(server_default=text("0"))]
Attributes = Annotated[JsonObject, mapped_column(JSONB(none_as_null=True), server_default=text("'{}'"))]
CreatedAt = Annotated[datetime, mapped_column(server_default=UTC_NOW)]
UpdatedAt = Annotated[datetime, mapped_column(server_default=UTC_NOW, server_onupdate=FetchedValue())]


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = {**KINDS, Seconds: Numeric(12, 3), float: Double, datetime: TIMESTAMP}  # noqa: RUF012 (SQLAlchemy's own contract)


class Experiment(Base):
    """Experiments: groups of runs that answer one question."""

    __tablename__ = "experiments"

    experiment_id: Mapped[Key] = mapped_column(comment="Unique identifier of the experiment.")
    experiment_name: Mapped[Str255] = mapped_column(comment="Name of the experiment, chosen by the user.")
    experiment_description: Mapped[str | None]
    experiment_type: Mapped[Str50] = mapped_column(server_default=text("'training'"))
    status: Mapped[Str50] = mapped_column(server_default=text("'active'"))
    lifecycle_stage: Mapped[Str50] = mapped_column(
        server_default=text("'active'"), comment="Stage in MLflow's sense, for compatibility with it."
    )
    created_by: Mapped[Str255 | None] = mapped_column(
        server_default=text("CURRENT_USER"),
        comment="Database role that owns the experiment; row level security goes by it.",
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[datetime | None]
    tags: Mapped[Attributes | None] = mapped_column(comment="Tags chosen by the user, as a JSON object.")
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")

    runs: Mapped[list["Run"]] = relationship(back_populates="experiment", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        CheckConstraint("status IN ('active', 'archived', 'deleted')", name="ck_experiments_status"),
        CheckConstraint("lifecycle_stage IN ('active', 'deleted', 'archived')", name="ck_experiments_lifecycle"),
        CheckConstraint("experiment_type IN ('training', 'testing', 'production', 'development')", name="ck_experiments_type"),
        Index("idx_experiments_name", "experiment_name"),
        Index("idx_experiments_created_at", desc("created_at")),
        Index("idx_experiments_status", "status", postgresql_where=text("status = 'active'")),
        Index("idx_experiments_status_created", "status", desc("created_at"), postgresql_where=text("status = 'active'")),
        Index("idx_experiments_active", "experiment_name", postgresql_where=text("status = 'active' AND deleted_at IS NULL")),
        Index("idx_experiments_tags", "tags", postgresql_using="gin"),
        Index("idx_experiments_tags_jsonb_path", "tags", postgresql_using="gin", postgresql_ops={"tags": "jsonb_path_ops"}),
    )


class Run(Base):
    """Runs: single executions within an experiment."""

    __tablename__ = "runs"

    run_id: Mapped[Key]
    run_uuid: Mapped[Uuid]
    experiment_id: Mapped[BigInt] = mapped_column(ForeignKey("experiments.experiment_id", ondelete="CASCADE"))
    parent_run_id: Mapped[BigInt | None] = mapped_column(
        ForeignKey("runs.run_id", ondelete="SET NULL"), comment="Parent run of a hyperparameter tuning."
    )
    run_name: Mapped[Str255]
    run_description: Mapped[str | None]
    run_fingerprint: Mapped[Str64] = mapped_column(comment="SHA-256 of the conditions of the run, to recognise a repeat.")
    status: Mapped[Str50] = mapped_column(server_default=text("'running'"))
    lifecycle_stage: Mapped[Str50] = mapped_column(server_default=text("'active'"))
    start_time: Mapped[CreatedAt]
    end_time: Mapped[datetime | None]
    execution_duration_seconds: Mapped[Seconds | None]
    source_type: Mapped[Str50 | None]
    source_name: Mapped[str | None]
    git_commit_hash: Mapped[Str40 | None]
    git_branch: Mapped[Str255 | None]
    git_repo_url: Mapped[str | None]
    user_id: Mapped[Str255 | None]
    tags: Mapped[Attributes | None]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[datetime | None]

    experiment: Mapped["Experiment"] = relationship(back_populates="runs")
    models: Mapped[list["Model"]] = relationship(back_populates="run", cascade="all, delete-orphan", passive_deletes=True)
    metrics: Mapped[list["Metric"]] = relationship(back_populates="run", cascade="all, delete-orphan", passive_deletes=True)
    hyperparameters: Mapped[list["Hyperparameter"]] = relationship(back_populates="run", cascade="all, delete-orphan", passive_deletes=True)
    artifacts: Mapped[list["Artifact"]] = relationship(back_populates="run", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        CheckConstraint("status IN ('running', 'completed', 'failed', 'killed', 'scheduled')", name="ck_runs_status"),
        CheckConstraint("lifecycle_stage IN ('active', 'deleted')", name="ck_runs_lifecycle"),
        CheckConstraint("source_type IN ('notebook', 'script', 'cli', 'api', 'scheduled')", name="ck_runs_source_type"),
        CheckConstraint("execution_duration_seconds IS NULL OR execution_duration_seconds >= 0", name="ck_runs_duration"),
        Index("idx_runs_experiment_id", "experiment_id"),
        Index("idx_runs_fingerprint", "run_fingerprint"),
        Index("idx_runs_status", "status"),
        Index("idx_runs_start_time", desc("start_time")),
        Index("idx_runs_running", desc("start_time"), postgresql_where=text("status = 'running'")),
        Index("idx_runs_parent_run", "parent_run_id", postgresql_where=text("parent_run_id IS NOT NULL")),
        Index("idx_runs_tags", "tags", postgresql_using="gin"),
        Index("idx_runs_metadata_gin", "metadata", postgresql_using="gin"),
        Index("idx_runs_composite", "experiment_id", "status", desc("start_time")),
        Index("idx_runs_unique_fingerprint", "experiment_id", "run_fingerprint", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )


class Dataset(Base):
    """Datasets that models are trained or evaluated on."""

    __tablename__ = "datasets"

    dataset_id: Mapped[Key]
    dataset_uuid: Mapped[Uuid]
    dataset_name: Mapped[Str255]
    dataset_description: Mapped[str | None]
    dataset_type: Mapped[Str50]
    file_path: Mapped[str]
    file_format: Mapped[Str50] = mapped_column(server_default=text("'csv'"))
    file_size_bytes: Mapped[BigInt | None]
    file_hash: Mapped[Str64 | None] = mapped_column(comment="SHA-256 of the file's content.")
    num_rows: Mapped[int | None]
    num_columns: Mapped[int | None]
    num_time_series: Mapped[int | None]
    date_column: Mapped[Str100 | None]
    target_column: Mapped[Str100 | None]
    frequency: Mapped[Str20 | None]
    start_date: Mapped[datetime | None]
    end_date: Mapped[datetime | None]
    schema_definition: Mapped[JsonObject | None] = mapped_column(comment="Definition of the column schema, as JSON.")
    column_types: Mapped[JsonObject | None]
    missing_values_count: Mapped[Count | None]
    duplicate_rows_count: Mapped[Count | None]
    version: Mapped[Str50 | None] = mapped_column(server_default=text("'1.0.0'"))
    parent_dataset_id: Mapped[BigInt | None] = mapped_column(ForeignKey("datasets.dataset_id"))
    tags: Mapped[Attributes | None]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    features: Mapped[list["DatasetFeature"]] = relationship(back_populates="dataset", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        CheckConstraint("dataset_type IN ('raw', 'processed', 'training', 'validation', 'test', 'production')", name="ck_datasets_type"),
        CheckConstraint("file_format IN ('csv', 'parquet', 'json', 'feather')", name="ck_datasets_format"),
        CheckConstraint("num_rows IS NULL OR num_rows >= 0", name="ck_datasets_rows"),
        CheckConstraint("num_columns IS NULL OR num_columns > 0", name="ck_datasets_columns"),
        Index("idx_datasets_name", "dataset_name"),
        Index("idx_datasets_type", "dataset_type"),
        Index("idx_datasets_file_hash", "file_hash"),
        Index("idx_datasets_created_at", desc("created_at")),
        Index("idx_datasets_parent", "parent_dataset_id", postgresql_where=text("parent_dataset_id IS NOT NULL")),
    )


class DatasetFeature(Base):
    """Features: columns of a dataset with their statistics and role."""

    __tablename__ = "dataset_features"

    feature_id: Mapped[Key]
    dataset_id: Mapped[BigInt] = mapped_column(ForeignKey("datasets.dataset_id", ondelete="CASCADE"))
    feature_name: Mapped[Str255]
    feature_type: Mapped[Str50]
    data_type: Mapped[Str50]
    min_value: Mapped[float | None]
    max_value: Mapped[float | None]
    mean_value: Mapped[float | None]
    median_value: Mapped[float | None]
    std_value: Mapped[float | None]
    num_unique_values: Mapped[int | None]
    unique_values: Mapped[JsonList | None]
    missing_count: Mapped[Count | None]
    missing_percentage: Mapped[Decimal | None] = mapped_column(Numeric(5, 2), server_default=text("0.00"))
    feature_role: Mapped[Str50 | None]
    is_target: Mapped[bool | None] = mapped_column(server_default=false())
    is_exogenous: Mapped[bool | None] = mapped_column(server_default=false())
    exogenous_type: Mapped[Str50 | None] = mapped_column(
        comment="future: known ahead of time, historic: past only, static: constant per series."
    )
    importance_score: Mapped[float | None]
    correlation_with_target: Mapped[float | None]
    tags: Mapped[Attributes | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    dataset: Mapped["Dataset"] = relationship(back_populates="features")

    __table_args__ = (
        CheckConstraint("feature_type IN ('numeric', 'categorical', 'datetime', 'text', 'boolean')", name="ck_features_type"),
        CheckConstraint("feature_role IN ('target', 'feature', 'id', 'timestamp', 'weight', 'ignore')", name="ck_features_role"),
        CheckConstraint("exogenous_type IS NULL OR exogenous_type IN ('future', 'historic', 'static')", name="ck_features_exog_type"),
        CheckConstraint("missing_percentage >= 0 AND missing_percentage <= 100", name="ck_features_missing_pct"),
        UniqueConstraint("dataset_id", "feature_name", name="uq_dataset_feature"),
        Index("idx_features_dataset_id", "dataset_id"),
        Index("idx_features_name", "feature_name"),
        Index("idx_features_type", "feature_type"),
        Index("idx_features_role", "feature_role"),
        Index("idx_features_target", "is_target", postgresql_where=text("is_target = TRUE")),
    )


class Model(Base):
    """Models that runs trained, with their library and configuration."""

    __tablename__ = "models"

    model_id: Mapped[Key]
    model_uuid: Mapped[Uuid]
    run_id: Mapped[BigInt] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"))
    model_name: Mapped[Str255]
    model_type: Mapped[Str100] = mapped_column(comment="Kind of model, such as AutoNHITS, AutoLSTM, AutoTFT or ARIMA.")
    model_version: Mapped[Str50] = mapped_column(server_default=text("'1.0.0'"))
    framework: Mapped[Str50] = mapped_column(comment="Library that trained the model, as its package is called: lower case, no spaces.")
    framework_version: Mapped[Str50 | None]
    model_config: Mapped[JsonObject] = mapped_column(comment="Configuration of the model in full, as JSON.")
    hyperparameters: Mapped[Attributes] = mapped_column(comment="Hyperparameters, as a JSON object.")
    training_dataset_id: Mapped[BigInt | None] = mapped_column(ForeignKey("datasets.dataset_id"))
    training_samples: Mapped[int | None]
    training_duration_seconds: Mapped[Seconds | None]
    model_size_bytes: Mapped[BigInt | None]
    model_file_path: Mapped[str]
    checkpoint_path: Mapped[str | None]
    status: Mapped[Str50] = mapped_column(server_default=text("'training'"))
    tags: Mapped[Attributes | None]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    run: Mapped["Run"] = relationship(back_populates="models")
    training_dataset: Mapped["Dataset | None"] = relationship()
    registrations: Mapped[list["ModelRegistry"]] = relationship(back_populates="model", cascade="all, delete-orphan", passive_deletes=True)

    __table_args__ = (
        CheckConstraint(
            "status IN ('training', 'trained', 'evaluating', 'evaluated', 'deployed', 'archived', 'failed')", name="ck_models_status"
        ),
        CheckConstraint("framework ~ '^[a-z0-9][a-z0-9_.-]*$'", name="ck_models_framework"),
        CheckConstraint("training_samples IS NULL OR training_samples > 0", name="ck_models_training_samples"),
        CheckConstraint("model_size_bytes IS NULL OR model_size_bytes > 0", name="ck_models_size"),
        Index("idx_models_run_id", "run_id"),
        Index("idx_models_training_dataset", "training_dataset_id", postgresql_where=text("training_dataset_id IS NOT NULL")),
        Index("idx_models_name", "model_name"),
        Index("idx_models_type", "model_type"),
        Index("idx_models_type_created", "model_type", desc("created_at")),
        Index("idx_models_framework", "framework"),
        Index("idx_models_status", "status"),
        Index("idx_models_created_at", desc("created_at")),
        Index("idx_models_config", "model_config", postgresql_using="gin"),
        Index("idx_models_tags", "tags", postgresql_using="gin"),
    )


class ModelRegistry(Base):
    """Registered versions of models and the stages that they are in."""

    __tablename__ = "model_registry"

    registry_id: Mapped[Key]
    model_id: Mapped[BigInt] = mapped_column(ForeignKey("models.model_id", ondelete="CASCADE"))
    registered_model_name: Mapped[Str255]
    model_version: Mapped[int]
    current_stage: Mapped[Str50] = mapped_column(server_default=text("'staging'"), comment="staging, production, archived or none.")
    previous_stage: Mapped[Str50 | None]
    stage_transition_at: Mapped[datetime | None]
    approved_by: Mapped[Str255 | None]
    approved_at: Mapped[datetime | None]
    approval_notes: Mapped[str | None]
    deployed_at: Mapped[datetime | None]
    deployment_target: Mapped[Str100 | None]
    production_metrics: Mapped[Attributes | None] = mapped_column(comment="Metrics measured in production.")
    description: Mapped[str | None]
    tags: Mapped[Attributes | None]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    model: Mapped["Model"] = relationship(back_populates="registrations")

    __table_args__ = (
        CheckConstraint("current_stage IN ('staging', 'production', 'archived', 'none')", name="ck_registry_stage"),
        CheckConstraint("model_version > 0", name="ck_registry_version"),
        UniqueConstraint("registered_model_name", "model_version", name="uq_registry_name_version"),
        Index("idx_registry_model_id", "model_id"),
        Index("idx_registry_name", "registered_model_name"),
        Index("idx_registry_stage", "current_stage"),
        Index("idx_registry_production", "registered_model_name", "model_version", postgresql_where=text("current_stage = 'production'")),
        Index("idx_registry_deployed_at", desc("deployed_at"), postgresql_where=text("deployed_at IS NOT NULL")),
    )


class Metric(Base):
    """Metrics: measured values of a run or of one of its models, by name, step and split."""

    __tablename__ = "metrics"

    metric_id: Mapped[Key]
    run_id: Mapped[BigInt] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"))
    model_id: Mapped[BigInt | None] = mapped_column(ForeignKey("models.model_id", ondelete="CASCADE"))
    metric_name: Mapped[Str100]
    metric_value: Mapped[float]
    metric_step: Mapped[Count | None] = mapped_column(comment="Number of the training step, such as an epoch or an iteration.")
    dataset_type: Mapped[Str50] = mapped_column(server_default=text("'validation'"))
    evaluation_context: Mapped[Str100 | None] = mapped_column(comment="What was evaluated, such as backtest_fold_1.")
    timestamp: Mapped[CreatedAt]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")

    run: Mapped["Run"] = relationship(back_populates="metrics")

    __table_args__ = (
        CheckConstraint("dataset_type IN ('train', 'validation', 'test', 'production')", name="ck_metrics_dataset_type"),
        CheckConstraint("metric_step >= 0", name="ck_metrics_step"),
        Index("idx_metrics_run_id", "run_id"),
        Index("idx_metrics_model_id", "model_id"),
        Index("idx_metrics_name", "metric_name"),
        Index("idx_metrics_timestamp", desc("timestamp")),
        Index("idx_metrics_run_name_step", "run_id", "metric_name", "metric_step"),
        Index("idx_metrics_composite", "run_id", "metric_name", "dataset_type", "metric_step"),
    )


class MetricSummary(Base):
    """Statistics of metrics, summarised by the tracker for fast queries."""

    __tablename__ = "metric_summaries"

    summary_id: Mapped[Key]
    run_id: Mapped[BigInt] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"))
    model_id: Mapped[BigInt | None] = mapped_column(ForeignKey("models.model_id", ondelete="CASCADE"))
    metric_name: Mapped[Str100]
    dataset_type: Mapped[Str50]
    min_value: Mapped[float | None]
    max_value: Mapped[float | None]
    mean_value: Mapped[float | None]
    median_value: Mapped[float | None]
    std_value: Mapped[float | None]
    q1_value: Mapped[float | None]
    q3_value: Mapped[float | None]
    sample_count: Mapped[int]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        Index("uq_summary_run_metric", "run_id", "metric_name", "dataset_type", unique=True, postgresql_where=text("model_id IS NULL")),
        Index(
            "uq_summary_model_metric",
            "run_id",
            "model_id",
            "metric_name",
            "dataset_type",
            unique=True,
            postgresql_where=text("model_id IS NOT NULL"),
        ),
        Index("idx_summary_run_id", "run_id"),
        Index("idx_summary_model_id", "model_id"),
        Index("idx_summary_metric", "metric_name"),
    )


class Hyperparameter(Base):
    """Hyperparameters and settings that a run was started with."""

    __tablename__ = "hyperparameters"

    hyperparameter_id: Mapped[Key]
    run_id: Mapped[BigInt] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"))
    param_key: Mapped[Str255]
    param_value: Mapped[str]
    param_type: Mapped[Str50] = mapped_column(server_default=text("'string'"))
    is_hyperparameter: Mapped[bool | None] = mapped_column(
        server_default=true(), comment="True: a hyperparameter, false: a setting of the run."
    )
    param_category: Mapped[Str100 | None]
    created_at: Mapped[CreatedAt]

    run: Mapped["Run"] = relationship(back_populates="hyperparameters")

    __table_args__ = (
        CheckConstraint("param_type IN ('string', 'integer', 'float', 'boolean', 'json')", name="ck_params_type"),
        UniqueConstraint("run_id", "param_key", name="uq_run_param_key"),
        Index("idx_params_run_id", "run_id"),
        Index("idx_params_key", "param_key"),
        Index("idx_params_category", "param_category", postgresql_where=text("param_category IS NOT NULL")),
    )


class HyperparameterSearchSpace(Base):
    """Search spaces that tuning draws hyperparameters from."""

    __tablename__ = "hyperparameter_search_spaces"

    search_space_id: Mapped[Key]
    space_name: Mapped[Str255] = mapped_column(unique=True)
    space_description: Mapped[str | None]
    model_type: Mapped[Str100]
    framework: Mapped[Str50]
    search_space_definition: Mapped[JsonObject] = mapped_column(comment="Search space in the format of Optuna or Ray Tune, as JSON.")
    created_by: Mapped[Str255 | None]
    is_active: Mapped[bool | None] = mapped_column(server_default=true())
    tags: Mapped[Attributes | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        Index("idx_search_space_model", "model_type"),
        Index("idx_search_space_active", "is_active", postgresql_where=text("is_active = TRUE")),
    )


class Artifact(Base):
    """Artifacts: files that runs produced."""

    __tablename__ = "artifacts"

    artifact_id: Mapped[Key]
    artifact_uuid: Mapped[Uuid]
    run_id: Mapped[BigInt] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"))
    artifact_name: Mapped[Str255]
    artifact_type: Mapped[Str100]
    artifact_path: Mapped[str]
    file_size_bytes: Mapped[BigInt | None]
    file_format: Mapped[Str50 | None]
    mime_type: Mapped[Str100 | None]
    file_hash: Mapped[Str64 | None] = mapped_column(comment="SHA-256 of the file's content.")
    storage_type: Mapped[Str50] = mapped_column(server_default=text("'local'"))
    storage_path: Mapped[str] = mapped_column(comment="Where the file really is, as a URI.")
    description: Mapped[str | None]
    tags: Mapped[Attributes | None]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    is_public: Mapped[bool | None] = mapped_column(server_default=false())
    access_count: Mapped[Count | None]
    last_accessed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    run: Mapped["Run"] = relationship(back_populates="artifacts")

    __table_args__ = (
        CheckConstraint(
            "artifact_type IN ('model', 'checkpoint', 'prediction', 'plot', 'log', 'config', 'report', 'data', 'other')",
            name="ck_artifacts_type",
        ),
        CheckConstraint("storage_type IN ('local', 's3', 'gcs', 'azure', 'mlflow', 'wandb')", name="ck_artifacts_storage"),
        CheckConstraint("file_size_bytes IS NULL OR file_size_bytes >= 0", name="ck_artifacts_size"),
        Index("idx_artifacts_run_id", "run_id"),
        Index("idx_artifacts_type", "artifact_type"),
        Index("idx_artifacts_name", "artifact_name"),
        Index("idx_artifacts_hash", "file_hash"),
        Index("idx_artifacts_created_at", desc("created_at")),
        Index("idx_artifacts_tags", "tags", postgresql_using="gin"),
    )


class Prediction(Base):
    """Predictions with their intervals and, once known, the actual values; partitioned by calendar quarter."""

    __tablename__ = "predictions"

    prediction_id: Mapped[Key] = mapped_column(autoincrement=True)
    run_id: Mapped[BigInt] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"))
    model_id: Mapped[BigInt] = mapped_column(ForeignKey("models.model_id", ondelete="CASCADE"))
    prediction_date: Mapped[datetime] = mapped_column(primary_key=True)
    unique_id: Mapped[str]
    horizon: Mapped[int] = mapped_column(comment="How many steps ahead of the cutoff the prediction lies.")
    predicted_value: Mapped[float]
    actual_value: Mapped[float | None]
    lower_bound: Mapped[float | None]
    upper_bound: Mapped[float | None]
    confidence_level: Mapped[Decimal | None] = mapped_column(Numeric(7, 6), server_default=text("0.95"))
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("horizon > 0", name="ck_predictions_horizon"),
        CheckConstraint("confidence_level > 0 AND confidence_level < 1", name="ck_predictions_confidence"),
        Index("idx_predictions_run_id", "run_id"),
        Index("idx_predictions_model_id", "model_id"),
        Index("idx_predictions_date", "prediction_date"),
        Index("idx_predictions_unique_id", "unique_id"),
        Index("idx_predictions_composite", "unique_id", "prediction_date", "horizon"),
        {"postgresql_partition_by": "RANGE (prediction_date)"},
    )


class SystemLog(Base):
    """Log lines of the tracking system; partitioned by calendar month."""

    __tablename__ = "system_logs"

    log_id: Mapped[Key] = mapped_column(autoincrement=True)
    log_level: Mapped[Str20]
    log_message: Mapped[str]
    log_source: Mapped[Str255 | None]
    run_id: Mapped[BigInt | None] = mapped_column(ForeignKey("runs.run_id", ondelete="SET NULL"))
    user_id: Mapped[Str255 | None]
    stack_trace: Mapped[str | None]
    exception_type: Mapped[Str255 | None]
    extra_data: Mapped[Attributes | None]
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True)

    __table_args__ = (
        CheckConstraint("log_level IN ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')", name="ck_logs_level"),
        Index("idx_logs_level", "log_level"),
        Index("idx_logs_created_at", desc("created_at")),
        Index("idx_logs_run_id", "run_id", postgresql_where=text("run_id IS NOT NULL")),
        Index("idx_logs_source", "log_source"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )


class AuditLog(Base):
    """Who changed which record when, and from what to what; partitioned by calendar quarter."""

    __tablename__ = "audit_logs"

    audit_id: Mapped[Key] = mapped_column(autoincrement=True)
    table_name: Mapped[Str255]
    operation_type: Mapped[Str20]
    record_id: Mapped[BigInt | None] = mapped_column(comment="Value of the audited table's own key.")
    old_values: Mapped[JsonObject | None]
    new_values: Mapped[JsonObject | None]
    changed_fields: Mapped[JsonObject | None] = mapped_column(comment="The fields that an update changed, with their new values.")
    user_id: Mapped[Str255 | None] = mapped_column(comment="Database role that logged in (session_user).")
    user_ip: Mapped[Str50 | None]
    session_id: Mapped[Str255 | None] = mapped_column(comment="Session as %c of log_line_prefix: start time and process, in hexadecimal.")
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True)

    __table_args__ = (
        CheckConstraint("operation_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')", name="ck_audit_operation"),
        Index("idx_audit_table", "table_name"),
        Index("idx_audit_operation", "operation_type"),
        Index("idx_audit_user", "user_id"),
        Index("idx_audit_created_at", desc("created_at")),
        {"schema": "audit", "postgresql_partition_by": "RANGE (created_at)"},
    )


class User(Base):
    """Users: people and services that use the tracking system."""

    __tablename__ = "users"

    user_id: Mapped[Key]
    user_uuid: Mapped[Uuid]
    username: Mapped[Str255] = mapped_column(unique=True, comment="Also the database role of the user, where there is one.")
    email: Mapped[Str255] = mapped_column(unique=True)
    full_name: Mapped[Str255 | None]
    auth_provider: Mapped[Str50 | None] = mapped_column(server_default=text("'local'"))
    external_id: Mapped[Str255 | None]
    is_active: Mapped[bool | None] = mapped_column(server_default=true())
    is_superuser: Mapped[bool | None] = mapped_column(server_default=false())
    last_login_at: Mapped[datetime | None]
    login_count: Mapped[Count | None]
    preferences: Mapped[Attributes | None] = mapped_column(comment="Preferences of the user, such as those for display and notification.")
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        CheckConstraint("auth_provider IN ('local', 'oauth2', 'ldap', 'saml')", name="ck_users_auth_provider"),
        Index("idx_users_active", "is_active", postgresql_where=text("is_active = TRUE")),
        Index("idx_users_provider", "auth_provider"),
    )


class UserExperiment(Base):
    """Rights of users on experiments that were shared with them."""

    __tablename__ = "user_experiments"

    user_experiment_id: Mapped[Key]
    user_id: Mapped[BigInt] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"))
    experiment_id: Mapped[BigInt] = mapped_column(ForeignKey("experiments.experiment_id", ondelete="CASCADE"))
    permission_level: Mapped[Str50] = mapped_column(server_default=text("'read'"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("permission_level IN ('read', 'write', 'admin', 'owner')", name="ck_user_exp_permission"),
        UniqueConstraint("user_id", "experiment_id", name="uq_user_experiment"),
        Index("idx_user_exp_user_id", "user_id"),
        Index("idx_user_exp_experiment_id", "experiment_id"),
        Index("idx_user_exp_permission", "permission_level"),
    )


class SystemConfig(Base):
    """Settings of the tracking system."""

    __tablename__ = "system_config"

    config_id: Mapped[Key]
    config_key: Mapped[Str255] = mapped_column(unique=True)
    config_value: Mapped[str]
    config_type: Mapped[Str50] = mapped_column(server_default=text("'string'"))
    description: Mapped[str | None]
    category: Mapped[Str100 | None]
    validation_regex: Mapped[str | None]
    is_secret: Mapped[bool | None] = mapped_column(
        server_default=false(), comment="True: the value is a secret and holds ciphertext, encrypted by the application."
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        CheckConstraint("config_type IN ('string', 'integer', 'float', 'boolean', 'json')", name="ck_config_type"),
        Index("idx_config_category", "category"),
    )


class Tag(Base):
    """Tags that experiments, runs and models may carry."""

    __tablename__ = "tags"

    tag_id: Mapped[Key]
    tag_name: Mapped[Str255] = mapped_column(unique=True)
    tag_category: Mapped[Str100 | None]
    tag_description: Mapped[str | None]
    usage_count: Mapped[Count | None]
    metadata_: Mapped[Attributes | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    __table_args__ = (
        Index("idx_tags_category", "tag_category"),
        Index("idx_tags_usage", desc("usage_count")),
    )
