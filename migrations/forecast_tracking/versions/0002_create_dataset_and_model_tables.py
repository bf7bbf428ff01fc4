"""Create the tables of datasets and models; datasets first, because models refer to them."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE datasets (
    dataset_id BIGSERIAL NOT NULL,
    dataset_uuid UUID DEFAULT gen_random_uuid() NOT NULL,
    dataset_name VARCHAR(255) NOT NULL,
    dataset_description TEXT,
    dataset_type VARCHAR(50) NOT NULL,
    file_path TEXT NOT NULL,
    file_format VARCHAR(50) DEFAULT 'csv' NOT NULL,
    file_size_bytes BIGINT,
    file_hash VARCHAR(64),
    num_rows INTEGER,
    num_columns INTEGER,
    num_time_series INTEGER,
    date_column VARCHAR(100),
    target_column VARCHAR(100),
    frequency VARCHAR(20),
    start_date TIMESTAMP,
    end_date TIMESTAMP,
    schema_definition JSONB,
    column_types JSONB,
    missing_values_count INTEGER DEFAULT 0,
    duplicate_rows_count INTEGER DEFAULT 0,
    version VARCHAR(50) DEFAULT '1.0.0',
    parent_dataset_id BIGINT,
    tags JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (dataset_id),
    CONSTRAINT ck_datasets_type CHECK (dataset_type IN ('raw', 'processed', 'training', 'validation', 'test', 'production')),
    CONSTRAINT ck_datasets_format CHECK (file_format IN ('csv', 'parquet', 'json', 'feather')),
    CONSTRAINT ck_datasets_rows CHECK (num_rows IS NULL OR num_rows >= 0),
    CONSTRAINT ck_datasets_columns CHECK (num_columns IS NULL OR num_columns > 0),
    UNIQUE (dataset_uuid),
    FOREIGN KEY (parent_dataset_id) REFERENCES datasets (dataset_id)
);
CREATE INDEX idx_datasets_name ON datasets (dataset_name);
CREATE INDEX idx_datasets_type ON datasets (dataset_type);
CREATE INDEX idx_datasets_file_hash ON datasets (file_hash);
CREATE INDEX idx_datasets_created_at ON datasets (created_at DESC);
CREATE INDEX idx_datasets_parent ON datasets (parent_dataset_id) WHERE parent_dataset_id IS NOT NULL;
COMMENT ON TABLE datasets IS 'Datasets that models are trained or evaluated on.';
COMMENT ON COLUMN datasets.file_hash IS 'SHA-256 of the file''s content.';
COMMENT ON COLUMN datasets.schema_definition IS 'Definition of the column schema, as JSON.';

CREATE TABLE dataset_features (
    feature_id BIGSERIAL NOT NULL,
    dataset_id BIGINT NOT NULL,
    feature_name VARCHAR(255) NOT NULL,
    feature_type VARCHAR(50) NOT NULL,
    data_type VARCHAR(50) NOT NULL,
    min_value DOUBLE PRECISION,
    max_value DOUBLE PRECISION,
    mean_value DOUBLE PRECISION,
    median_value DOUBLE PRECISION,
    std_value DOUBLE PRECISION,
    num_unique_values INTEGER,
    unique_values JSONB,
    missing_count INTEGER DEFAULT 0,
    missing_percentage NUMERIC(5, 2) DEFAULT 0.00,
    feature_role VARCHAR(50),
    is_target BOOLEAN DEFAULT false,
    is_exogenous BOOLEAN DEFAULT false,
    exogenous_type VARCHAR(50),
    importance_score DOUBLE PRECISION,
    correlation_with_target DOUBLE PRECISION,
    tags JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (feature_id),
    CONSTRAINT ck_features_type CHECK (feature_type IN ('numeric', 'categorical', 'datetime', 'text', 'boolean')),
    CONSTRAINT ck_features_role CHECK (feature_role IN ('target', 'feature', 'id', 'timestamp', 'weight', 'ignore')),
    CONSTRAINT ck_features_exog_type CHECK (exogenous_type IS NULL OR exogenous_type IN ('future', 'historic', 'static')),
    CONSTRAINT ck_features_missing_pct CHECK (missing_percentage >= 0 AND missing_percentage <= 100),
    CONSTRAINT uq_dataset_feature UNIQUE (dataset_id, feature_name),
    FOREIGN KEY (dataset_id) REFERENCES datasets (dataset_id) ON DELETE CASCADE
);
CREATE INDEX idx_features_dataset_id ON dataset_features (dataset_id);
CREATE INDEX idx_features_name ON dataset_features (feature_name);
CREATE INDEX idx_features_type ON dataset_features (feature_type);
CREATE INDEX idx_features_role ON dataset_features (feature_role);
CREATE INDEX idx_features_target ON dataset_features (is_target) WHERE is_target = TRUE;
COMMENT ON TABLE dataset_features IS 'Features: columns of a dataset with their statistics and role.';
COMMENT ON COLUMN dataset_features.exogenous_type IS 'future: known ahead of time, historic: past only, static: constant per series.';

CREATE TABLE models (
    model_id BIGSERIAL NOT NULL,
    model_uuid UUID DEFAULT gen_random_uuid() NOT NULL,
    run_id BIGINT NOT NULL,
    model_name VARCHAR(255) NOT NULL,
    model_type VARCHAR(100) NOT NULL,
    model_version VARCHAR(50) DEFAULT '1.0.0' NOT NULL,
    framework VARCHAR(50) NOT NULL,
    framework_version VARCHAR(50),
    model_config JSONB NOT NULL,
    hyperparameters JSONB DEFAULT '{}' NOT NULL,
    training_dataset_id BIGINT,
    training_samples INTEGER,
    training_duration_seconds NUMERIC(12, 3),
    model_size_bytes BIGINT,
    model_file_path TEXT NOT NULL,
    checkpoint_path TEXT,
    status VARCHAR(50) DEFAULT 'training' NOT NULL,
    tags JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (model_id),
    CONSTRAINT ck_models_status CHECK (status IN ('training', 'trained', 'evaluating', 'evaluated', 'deployed', 'archived', 'failed')),
    CONSTRAINT ck_models_framework CHECK (framework ~ '^[a-z0-9][a-z0-9_.-]*$'),
    CONSTRAINT ck_models_training_samples CHECK (training_samples IS NULL OR training_samples > 0),
    CONSTRAINT ck_models_size CHECK (model_size_bytes IS NULL OR model_size_bytes > 0),
    UNIQUE (model_uuid),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE CASCADE,
    FOREIGN KEY (training_dataset_id) REFERENCES datasets (dataset_id)
);
CREATE INDEX idx_models_run_id ON models (run_id);
CREATE INDEX idx_models_name ON models (model_name);
CREATE INDEX idx_models_type ON models (model_type);
CREATE INDEX idx_models_type_created ON models (model_type, created_at DESC);
CREATE INDEX idx_models_framework ON models (framework);
CREATE INDEX idx_models_status ON models (status);
CREATE INDEX idx_models_created_at ON models (created_at DESC);
CREATE INDEX idx_models_config ON models USING gin (model_config);
CREATE INDEX idx_models_tags ON models USING gin (tags);
COMMENT ON TABLE models IS 'Models that runs trained, with their library and configuration.';
COMMENT ON COLUMN models.model_type IS 'Kind of model, such as AutoNHITS, AutoLSTM, AutoTFT or ARIMA.';
COMMENT ON COLUMN models.framework IS 'Library that trained the model, as its package is called: lower case, no spaces.';
COMMENT ON COLUMN models.model_config IS 'Configuration of the model in full, as JSON.';
COMMENT ON COLUMN models.hyperparameters IS 'Hyperparameters, as a JSON object.';

CREATE TABLE model_registry (
    registry_id BIGSERIAL NOT NULL,
    model_id BIGINT NOT NULL,
    registered_model_name VARCHAR(255) NOT NULL,
    model_version INTEGER NOT NULL,
    current_stage VARCHAR(50) DEFAULT 'staging' NOT NULL,
    previous_stage VARCHAR(50),
    stage_transition_at TIMESTAMP,
    approved_by VARCHAR(255),
    approved_at TIMESTAMP,
    approval_notes TEXT,
    deployed_at TIMESTAMP,
    deployment_target VARCHAR(100),
    production_metrics JSONB DEFAULT '{}',
    description TEXT,
    tags JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (registry_id),
    CONSTRAINT ck_registry_stage CHECK (current_stage IN ('staging', 'production', 'archived', 'none')),
    CONSTRAINT ck_registry_version CHECK (model_version > 0),
    CONSTRAINT uq_registry_name_version UNIQUE (registered_model_name, model_version),
    FOREIGN KEY (model_id) REFERENCES models (model_id) ON DELETE CASCADE
);
CREATE INDEX idx_registry_model_id ON model_registry (model_id);
CREATE INDEX idx_registry_name ON model_registry (registered_model_name);
CREATE INDEX idx_registry_stage ON model_registry (current_stage);
CREATE INDEX idx_registry_production ON model_registry (registered_model_name, model_version) WHERE current_stage = 'production';
CREATE INDEX idx_registry_deployed_at ON model_registry (deployed_at DESC) WHERE deployed_at IS NOT NULL;
COMMENT ON TABLE model_registry IS 'Registered versions of models and the stages that they are in.';
COMMENT ON COLUMN model_registry.current_stage IS 'staging, production, archived or none.';
COMMENT ON COLUMN model_registry.production_metrics IS 'Metrics measured in production.';
"""

DOWNGRADE = """
DROP TABLE model_registry;
DROP TABLE models;
DROP TABLE dataset_features;
DROP TABLE datasets;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
