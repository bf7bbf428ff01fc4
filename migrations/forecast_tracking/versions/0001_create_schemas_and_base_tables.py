"""Create the schemas and the tables of experiments and runs."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
CREATE SCHEMA audit;
CREATE SCHEMA staging;
CREATE SCHEMA archive;
COMMENT ON SCHEMA audit IS 'Who changed what.';
COMMENT ON SCHEMA staging IS 'Temporary data; anything here may be dropped.';
COMMENT ON SCHEMA archive IS 'Partitions detached from their tables.';

CREATE TABLE experiments (
    experiment_id BIGSERIAL NOT NULL,
    experiment_name VARCHAR(255) NOT NULL,
    experiment_description TEXT,
    experiment_type VARCHAR(50) DEFAULT 'training' NOT NULL,
    status VARCHAR(50) DEFAULT 'active' NOT NULL,
    lifecycle_stage VARCHAR(50) DEFAULT 'active' NOT NULL,
    created_by VARCHAR(255) DEFAULT CURRENT_USER,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    deleted_at TIMESTAMP,
    tags JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    PRIMARY KEY (experiment_id),
    CONSTRAINT ck_experiments_status CHECK (status IN ('active', 'archived', 'deleted')),
    CONSTRAINT ck_experiments_lifecycle CHECK (lifecycle_stage IN ('active', 'deleted', 'archived')),
    CONSTRAINT ck_experiments_type CHECK (experiment_type IN ('training', 'testing', 'production', 'development'))
);
CREATE INDEX idx_experiments_name ON experiments (experiment_name);
CREATE INDEX idx_experiments_created_at ON experiments (created_at DESC);
CREATE INDEX idx_experiments_status ON experiments (status) WHERE status = 'active';
CREATE INDEX idx_experiments_status_created ON experiments (status, created_at DESC) WHERE status = 'active';
CREATE INDEX idx_experiments_active ON experiments (experiment_name) WHERE status = 'active' AND deleted_at IS NULL;
CREATE INDEX idx_experiments_tags ON experiments USING gin (tags);
CREATE INDEX idx_experiments_tags_jsonb_path ON experiments USING gin (tags jsonb_path_ops);
COMMENT ON TABLE experiments IS 'Experiments: groups of runs that answer one question.';
COMMENT ON COLUMN experiments.experiment_id IS 'Unique identifier of the experiment.';
COMMENT ON COLUMN experiments.experiment_name IS 'Name of the experiment, chosen by the user.';
COMMENT ON COLUMN experiments.lifecycle_stage IS 'Stage in MLflow''s sense, for compatibility with it.';
COMMENT ON COLUMN experiments.created_by IS 'Database role that owns the experiment; row level security goes by it.';
COMMENT ON COLUMN experiments.tags IS 'Tags chosen by the user, as a JSON object.';

CREATE TABLE runs (
    run_id BIGSERIAL NOT NULL,
    run_uuid UUID DEFAULT gen_random_uuid() NOT NULL,
    experiment_id BIGINT NOT NULL,
    parent_run_id BIGINT,
    run_name VARCHAR(255) NOT NULL,
    run_description TEXT,
    run_fingerprint VARCHAR(64) NOT NULL,
    status VARCHAR(50) DEFAULT 'running' NOT NULL,
    lifecycle_stage VARCHAR(50) DEFAULT 'active' NOT NULL,
    start_time TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    end_time TIMESTAMP,
    execution_duration_seconds NUMERIC(12, 3),
    source_type VARCHAR(50),
    source_name TEXT,
    git_commit_hash VARCHAR(40),
    git_branch VARCHAR(255),
    git_repo_url TEXT,
    user_id VARCHAR(255),
    tags JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    deleted_at TIMESTAMP,
    PRIMARY KEY (run_id),
    CONSTRAINT ck_runs_status CHECK (status IN ('running', 'completed', 'failed', 'killed', 'scheduled')),
    CONSTRAINT ck_runs_lifecycle CHECK (lifecycle_stage IN ('active', 'deleted')),
    CONSTRAINT ck_runs_source_type CHECK (source_type IN ('notebook', 'script', 'cli', 'api', 'scheduled')),
    CONSTRAINT ck_runs_duration CHECK (execution_duration_seconds IS NULL OR execution_duration_seconds >= 0),
    UNIQUE (run_uuid),
    FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE,
    FOREIGN KEY (parent_run_id) REFERENCES runs (run_id) ON DELETE SET NULL
);
CREATE INDEX idx_runs_experiment_id ON runs (experiment_id);
CREATE INDEX idx_runs_fingerprint ON runs (run_fingerprint);
CREATE INDEX idx_runs_status ON runs (status);
CREATE INDEX idx_runs_start_time ON runs (start_time DESC);
CREATE INDEX idx_runs_running ON runs (start_time DESC) WHERE status = 'running';
CREATE INDEX idx_runs_parent_run ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX idx_runs_tags ON runs USING gin (tags);
CREATE INDEX idx_runs_metadata_gin ON runs USING gin (metadata);
CREATE INDEX idx_runs_composite ON runs (experiment_id, status, start_time DESC);
CREATE UNIQUE INDEX idx_runs_unique_fingerprint ON runs (experiment_id, run_fingerprint) WHERE deleted_at IS NULL;
COMMENT ON TABLE runs IS 'Runs: single executions within an experiment.';
COMMENT ON COLUMN runs.parent_run_id IS 'Parent run of a hyperparameter tuning.';
COMMENT ON COLUMN runs.run_fingerprint IS 'SHA-256 of the conditions of the run, to recognise a repeat.';
"""

DOWNGRADE = """
DROP TABLE runs;
DROP TABLE experiments;
DROP SCHEMA archive CASCADE;
DROP SCHEMA staging CASCADE;
DROP SCHEMA audit;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
