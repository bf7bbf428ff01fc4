"""Create the tables of runs and steps, and of who has handed over what."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE runs (
    tenant_id TEXT NOT NULL,
    run_id UUID NOT NULL,
    status TEXT NOT NULL,
    source_status TEXT,
    current_step TEXT,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    wall_seconds DOUBLE PRECISION,
    steps_total BIGINT,
    steps_done BIGINT,
    retries BIGINT,
    PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT ck_runs_status CHECK (
        status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'paused', 'unknown')
    )
);
COMMENT ON TABLE runs IS 'Runs of the LLM workflow of all tenants.';
COMMENT ON COLUMN runs.tenant_id IS 'Tenant whose run it is.';
COMMENT ON COLUMN runs.run_id IS 'Key of the run at the tenant.';
COMMENT ON COLUMN runs.status IS 'queued, running, succeeded, failed, cancelled, paused, or unknown.';
COMMENT ON COLUMN runs.source_status IS 'Status in the words of the workflow.';
COMMENT ON COLUMN runs.current_step IS 'Step that the run is at; null before the first and after the last.';
COMMENT ON COLUMN runs.started_at IS 'When the run started (UTC).';
COMMENT ON COLUMN runs.ended_at IS 'When the run ended (UTC).';
COMMENT ON COLUMN runs.wall_seconds IS 'Time from start to end in seconds; null if it did not end.';
COMMENT ON COLUMN runs.steps_total IS 'Executions of steps.';
COMMENT ON COLUMN runs.steps_done IS 'Executions of steps that are over.';
COMMENT ON COLUMN runs.retries IS 'How often steps of the run were tried again.';

CREATE TABLE steps (
    tenant_id TEXT NOT NULL,
    step_id INTEGER NOT NULL,
    run_id UUID NOT NULL,
    step TEXT NOT NULL,
    status TEXT NOT NULL,
    source_status TEXT,
    provider TEXT,
    llm_model TEXT,
    retry_count INTEGER,
    started_at TIMESTAMP,
    completed_at TIMESTAMP,
    latency_seconds DOUBLE PRECISION,
    input_tokens BIGINT,
    cache_read_tokens BIGINT,
    cache_write_tokens BIGINT,
    output_tokens BIGINT,
    reasoning_tokens BIGINT,
    price_version TEXT,
    cost_usd NUMERIC,
    wasted_cost_usd NUMERIC,
    PRIMARY KEY (tenant_id, step_id),
    CONSTRAINT ck_steps_status CHECK (
        status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'paused', 'unknown')
    ),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, run_id)
);
CREATE INDEX idx_steps_run ON steps (tenant_id, run_id);
COMMENT ON TABLE steps IS 'Executions of steps of the LLM workflow of all tenants.';
COMMENT ON COLUMN steps.tenant_id IS 'Tenant whose step it is.';
COMMENT ON COLUMN steps.step_id IS 'Key of the execution at the tenant.';
COMMENT ON COLUMN steps.run_id IS 'Run that the step belongs to.';
COMMENT ON COLUMN steps.step IS 'Name of the step.';
COMMENT ON COLUMN steps.status IS 'queued, running, succeeded, failed, cancelled, paused, or unknown.';
COMMENT ON COLUMN steps.source_status IS 'Status in the words of the workflow.';
COMMENT ON COLUMN steps.provider IS 'Provider of the model, as far as the tenant''s warehouse knows it.';
COMMENT ON COLUMN steps.llm_model IS 'Model that was called, by the provider''s name for it; null if none was.';
COMMENT ON COLUMN steps.retry_count IS 'How often the step was tried again.';
COMMENT ON COLUMN steps.started_at IS 'When the step started (UTC).';
COMMENT ON COLUMN steps.completed_at IS 'When the step ended, however it ended (UTC).';
COMMENT ON COLUMN steps.latency_seconds IS 'Time from start to end in seconds; null if it did not end.';
COMMENT ON COLUMN steps.input_tokens IS 'Input that was neither read from a cache nor written to one.';
COMMENT ON COLUMN steps.cache_read_tokens IS 'Input that was read from a cache.';
COMMENT ON COLUMN steps.cache_write_tokens IS 'Input that was written to a cache.';
COMMENT ON COLUMN steps.output_tokens IS 'Output that is no reasoning.';
COMMENT ON COLUMN steps.reasoning_tokens IS 'Output that is reasoning.';
COMMENT ON COLUMN steps.price_version IS 'Version of the prices by which the cost was computed.';
COMMENT ON COLUMN steps.cost_usd IS 'Cost in US dollars; null if no price is known.';
COMMENT ON COLUMN steps.wasted_cost_usd IS 'The part of the cost that brought no result; null if no price is known.';

CREATE TABLE handed_over (
    tenant_id TEXT NOT NULL,
    refresh_id BIGINT NOT NULL,
    handed_over_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id)
);
COMMENT ON TABLE handed_over IS
    'Up to where each tenant has handed over what it published; written with the rows themselves, in one transaction.';
COMMENT ON COLUMN handed_over.tenant_id IS 'The tenant.';
COMMENT ON COLUMN handed_over.refresh_id IS 'The last refresh of the tenant''s warehouse that is reflected here.';
COMMENT ON COLUMN handed_over.handed_over_at IS 'When it was handed over.';
"""

DOWNGRADE = """
DROP TABLE handed_over;
DROP TABLE steps;
DROP TABLE runs;
"""


def upgrade() -> None:
    """Create the tables with their index and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
