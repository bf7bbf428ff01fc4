"""Create the tables of metrics, hyperparameters, artifacts and predictions."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE metrics (
    metric_id BIGSERIAL NOT NULL,
    run_id BIGINT NOT NULL,
    model_id BIGINT,
    metric_name VARCHAR(100) NOT NULL,
    metric_value DOUBLE PRECISION NOT NULL,
    metric_step INTEGER DEFAULT 0,
    dataset_type VARCHAR(50) DEFAULT 'validation' NOT NULL,
    evaluation_context VARCHAR(100),
    timestamp TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    metadata JSONB DEFAULT '{}',
    PRIMARY KEY (metric_id),
    CONSTRAINT ck_metrics_dataset_type CHECK (dataset_type IN ('train', 'validation', 'test', 'production')),
    CONSTRAINT ck_metrics_step CHECK (metric_step >= 0),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE CASCADE,
    FOREIGN KEY (model_id) REFERENCES models (model_id) ON DELETE CASCADE
);
CREATE INDEX idx_metrics_run_id ON metrics (run_id);
CREATE INDEX idx_metrics_model_id ON metrics (model_id);
CREATE INDEX idx_metrics_name ON metrics (metric_name);
CREATE INDEX idx_metrics_timestamp ON metrics (timestamp DESC);
CREATE INDEX idx_metrics_run_name_step ON metrics (run_id, metric_name, metric_step);
CREATE INDEX idx_metrics_composite ON metrics (run_id, metric_name, dataset_type, metric_step);
COMMENT ON TABLE metrics IS 'Metrics: measured values of a run or of one of its models, by name, step and split.';
COMMENT ON COLUMN metrics.metric_step IS 'Number of the training step, such as an epoch or an iteration.';
COMMENT ON COLUMN metrics.evaluation_context IS 'What was evaluated, such as backtest_fold_1.';

CREATE TABLE metric_summaries (
    summary_id BIGSERIAL NOT NULL,
    run_id BIGINT NOT NULL,
    model_id BIGINT,
    metric_name VARCHAR(100) NOT NULL,
    dataset_type VARCHAR(50) NOT NULL,
    min_value DOUBLE PRECISION,
    max_value DOUBLE PRECISION,
    mean_value DOUBLE PRECISION,
    median_value DOUBLE PRECISION,
    std_value DOUBLE PRECISION,
    q1_value DOUBLE PRECISION,
    q3_value DOUBLE PRECISION,
    sample_count INTEGER NOT NULL,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (summary_id),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE CASCADE,
    FOREIGN KEY (model_id) REFERENCES models (model_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_summary_run_metric ON metric_summaries (run_id, metric_name, dataset_type) WHERE model_id IS NULL;
CREATE UNIQUE INDEX uq_summary_model_metric ON metric_summaries (run_id, model_id, metric_name, dataset_type) WHERE model_id IS NOT NULL;
CREATE INDEX idx_summary_run_id ON metric_summaries (run_id);
CREATE INDEX idx_summary_model_id ON metric_summaries (model_id);
CREATE INDEX idx_summary_metric ON metric_summaries (metric_name);
COMMENT ON TABLE metric_summaries IS 'Statistics of metrics, summarised by the tracker for fast queries.';

CREATE TABLE hyperparameters (
    hyperparameter_id BIGSERIAL NOT NULL,
    run_id BIGINT NOT NULL,
    param_key VARCHAR(255) NOT NULL,
    param_value TEXT NOT NULL,
    param_type VARCHAR(50) DEFAULT 'string' NOT NULL,
    is_hyperparameter BOOLEAN DEFAULT true,
    param_category VARCHAR(100),
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (hyperparameter_id),
    CONSTRAINT ck_params_type CHECK (param_type IN ('string', 'integer', 'float', 'boolean', 'json')),
    CONSTRAINT uq_run_param_key UNIQUE (run_id, param_key),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
CREATE INDEX idx_params_run_id ON hyperparameters (run_id);
CREATE INDEX idx_params_key ON hyperparameters (param_key);
CREATE INDEX idx_params_category ON hyperparameters (param_category) WHERE param_category IS NOT NULL;
COMMENT ON TABLE hyperparameters IS 'Hyperparameters and settings that a run was started with.';
COMMENT ON COLUMN hyperparameters.is_hyperparameter IS 'True: a hyperparameter, false: a setting of the run.';

CREATE TABLE hyperparameter_search_spaces (
    search_space_id BIGSERIAL NOT NULL,
    space_name VARCHAR(255) NOT NULL,
    space_description TEXT,
    model_type VARCHAR(100) NOT NULL,
    framework VARCHAR(50) NOT NULL,
    search_space_definition JSONB NOT NULL,
    created_by VARCHAR(255),
    is_active BOOLEAN DEFAULT true,
    tags JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (search_space_id),
    UNIQUE (space_name)
);
CREATE INDEX idx_search_space_model ON hyperparameter_search_spaces (model_type);
CREATE INDEX idx_search_space_active ON hyperparameter_search_spaces (is_active) WHERE is_active = TRUE;
COMMENT ON TABLE hyperparameter_search_spaces IS 'Search spaces that tuning draws hyperparameters from.';
COMMENT ON COLUMN hyperparameter_search_spaces.search_space_definition IS 'Search space in the format of Optuna or Ray Tune, as JSON.';

CREATE TABLE artifacts (
    artifact_id BIGSERIAL NOT NULL,
    artifact_uuid UUID DEFAULT gen_random_uuid() NOT NULL,
    run_id BIGINT NOT NULL,
    artifact_name VARCHAR(255) NOT NULL,
    artifact_type VARCHAR(100) NOT NULL,
    artifact_path TEXT NOT NULL,
    file_size_bytes BIGINT,
    file_format VARCHAR(50),
    mime_type VARCHAR(100),
    file_hash VARCHAR(64),
    storage_type VARCHAR(50) DEFAULT 'local' NOT NULL,
    storage_path TEXT NOT NULL,
    description TEXT,
    tags JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    is_public BOOLEAN DEFAULT false,
    access_count INTEGER DEFAULT 0,
    last_accessed_at TIMESTAMP,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (artifact_id),
    CONSTRAINT ck_artifacts_type CHECK (
        artifact_type IN ('model', 'checkpoint', 'prediction', 'plot', 'log', 'config', 'report', 'data', 'other')
    ),
    CONSTRAINT ck_artifacts_storage CHECK (storage_type IN ('local', 's3', 'gcs', 'azure', 'mlflow', 'wandb')),
    CONSTRAINT ck_artifacts_size CHECK (file_size_bytes IS NULL OR file_size_bytes >= 0),
    UNIQUE (artifact_uuid),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
CREATE INDEX idx_artifacts_run_id ON artifacts (run_id);
CREATE INDEX idx_artifacts_type ON artifacts (artifact_type);
CREATE INDEX idx_artifacts_name ON artifacts (artifact_name);
CREATE INDEX idx_artifacts_hash ON artifacts (file_hash);
CREATE INDEX idx_artifacts_created_at ON artifacts (created_at DESC);
CREATE INDEX idx_artifacts_tags ON artifacts USING gin (tags);
COMMENT ON TABLE artifacts IS 'Artifacts: files that runs produced.';
COMMENT ON COLUMN artifacts.file_hash IS 'SHA-256 of the file''s content.';
COMMENT ON COLUMN artifacts.storage_path IS 'Where the file really is, as a URI.';

CREATE TABLE predictions (
    prediction_id BIGSERIAL NOT NULL,
    run_id BIGINT NOT NULL,
    model_id BIGINT NOT NULL,
    prediction_date TIMESTAMP NOT NULL,
    unique_id TEXT NOT NULL,
    horizon INTEGER NOT NULL,
    predicted_value DOUBLE PRECISION NOT NULL,
    actual_value DOUBLE PRECISION,
    lower_bound DOUBLE PRECISION,
    upper_bound DOUBLE PRECISION,
    confidence_level NUMERIC(3, 2) DEFAULT 0.95,
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (prediction_id, prediction_date),
    CONSTRAINT ck_predictions_horizon CHECK (horizon > 0),
    CONSTRAINT ck_predictions_confidence CHECK (confidence_level > 0 AND confidence_level < 1),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE CASCADE,
    FOREIGN KEY (model_id) REFERENCES models (model_id) ON DELETE CASCADE
) PARTITION BY RANGE (prediction_date);
CREATE TABLE predictions_default PARTITION OF predictions DEFAULT;
CREATE INDEX idx_predictions_run_id ON predictions (run_id);
CREATE INDEX idx_predictions_model_id ON predictions (model_id);
CREATE INDEX idx_predictions_date ON predictions (prediction_date);
CREATE INDEX idx_predictions_unique_id ON predictions (unique_id);
CREATE INDEX idx_predictions_composite ON predictions (unique_id, prediction_date, horizon);
COMMENT ON TABLE predictions IS 'Predictions with their intervals and, once known, the actual values; partitioned by calendar quarter.';
COMMENT ON COLUMN predictions.horizon IS 'How many steps ahead of the cutoff the prediction lies.';
"""

DOWNGRADE = """
DROP TABLE predictions;
DROP TABLE artifacts;
DROP TABLE hyperparameter_search_spaces;
DROP TABLE hyperparameters;
DROP TABLE metric_summaries;
DROP TABLE metrics;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
