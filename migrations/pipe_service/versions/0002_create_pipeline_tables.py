"""Create the tables of pipelines and their runs; runs by calendar month (UTC), for 2025 and 2026."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA archive;
COMMENT ON SCHEMA archive IS 'Partitions detached from their tables.';

CREATE TABLE pipelines (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    organization_id UUID NOT NULL,
    name VARCHAR(100) NOT NULL,
    description TEXT,
    config JSONB NOT NULL,
    status VARCHAR(20) DEFAULT 'active' NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_pipelines_status CHECK (status IN ('active', 'inactive', 'suspended', 'deleted')),
    FOREIGN KEY (organization_id) REFERENCES organizations (id),
    FOREIGN KEY (created_by) REFERENCES users (id)
);
CREATE INDEX idx_pipelines_org ON pipelines (organization_id);
CREATE INDEX idx_pipelines_created_by ON pipelines (created_by);
COMMENT ON TABLE pipelines IS 'Pipelines: what an organization may run.';
COMMENT ON COLUMN pipelines.config IS 'Definition of the pipeline, as JSON.';
COMMENT ON COLUMN pipelines.status IS 'active, inactive, suspended or deleted; a deleted pipeline keeps the row.';
COMMENT ON COLUMN pipelines.created_by IS 'User who created the pipeline.';

CREATE TABLE pipeline_runs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    pipeline_id UUID NOT NULL,
    status VARCHAR(20) NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    error_message TEXT,
    metrics JSONB,
    created_by UUID,
    PRIMARY KEY (id, started_at),
    CONSTRAINT ck_pipeline_runs_status CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    FOREIGN KEY (pipeline_id) REFERENCES pipelines (id),
    FOREIGN KEY (created_by) REFERENCES users (id)
) PARTITION BY RANGE (started_at);
CREATE TABLE pipeline_runs_default PARTITION OF pipeline_runs DEFAULT;
CREATE INDEX idx_pipeline_runs_pipeline ON pipeline_runs (pipeline_id);
CREATE INDEX idx_pipeline_runs_status ON pipeline_runs (status);
CREATE INDEX idx_pipeline_runs_created_by ON pipeline_runs (created_by);
COMMENT ON TABLE pipeline_runs IS 'Runs: single executions of a pipeline; partitioned by calendar month.';
COMMENT ON COLUMN pipeline_runs.status IS 'queued, running, completed, failed or cancelled.';
COMMENT ON COLUMN pipeline_runs.started_at IS 'When the run was put into the queue, or started if it never waited; a part of the key.';
COMMENT ON COLUMN pipeline_runs.completed_at IS 'When the run ended, however it ended.';
COMMENT ON COLUMN pipeline_runs.error_message IS 'Why the run failed.';
COMMENT ON COLUMN pipeline_runs.metrics IS 'What the run measured about itself, as a JSON object.';
COMMENT ON COLUMN pipeline_runs.created_by IS 'User who started the run.';
"""

PARTITION = """
CREATE TABLE pipeline_runs_{year}_{month:02} PARTITION OF pipeline_runs
    FOR VALUES FROM ('{year}-{month:02}-01 00:00:00+00') TO ('{next_year}-{next_month:02}-01 00:00:00+00')
"""

# A partition in the archive may still refer to pipelines.
DOWNGRADE = """
DROP SCHEMA archive CASCADE;
DROP TABLE pipeline_runs;
DROP TABLE pipelines;
"""


def upgrade() -> None:
    """Create the tables with their indexes, comments and first partitions."""
    op.execute(TABLES)
    for year in (2025, 2026):
        for month in range(1, 13):
            op.execute(PARTITION.format(year=year, month=month, next_year=year + month // 12, next_month=month % 12 + 1))


def downgrade() -> None:
    """Drop the tables, the archive with all that it holds first."""
    op.execute(DOWNGRADE)
