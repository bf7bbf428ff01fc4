"""Create the tables of prompts, runs, steps, artifacts and the audit log."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE prompts (
    id SERIAL NOT NULL,
    step TEXT NOT NULL,
    version INTEGER NOT NULL,
    content TEXT NOT NULL,
    variables JSONB,
    is_active BOOLEAN DEFAULT true NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (step, version),
    CONSTRAINT ck_prompts_version CHECK (version > 0)
);
CREATE UNIQUE INDEX uq_prompts_active_version ON prompts (step) WHERE is_active;
COMMENT ON TABLE prompts IS 'Prompts of steps, in all their versions.';
COMMENT ON COLUMN prompts.id IS 'Key of the version.';
COMMENT ON COLUMN prompts.step IS 'Step that the prompt is for.';
COMMENT ON COLUMN prompts.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN prompts.content IS 'Text of the prompt.';
COMMENT ON COLUMN prompts.variables IS 'What is put into the text, as a JSON object.';
COMMENT ON COLUMN prompts.is_active IS 'Whether this is the version that the step uses now.';

CREATE TABLE runs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    status TEXT NOT NULL,
    current_step TEXT,
    config JSONB,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_runs_status CHECK (status IN ('pending', 'running', 'paused', 'completed', 'failed'))
);
COMMENT ON TABLE runs IS 'Runs of the workflow.';
COMMENT ON COLUMN runs.id IS 'Key of the run.';
COMMENT ON COLUMN runs.status IS 'pending, running, paused, completed or failed.';
COMMENT ON COLUMN runs.current_step IS 'Step that the run is at; null before the first and after the last.';
COMMENT ON COLUMN runs.config IS 'What was asked of the run, as JSON.';
COMMENT ON COLUMN runs.created_at IS 'When the run was created (UTC).';
COMMENT ON COLUMN runs.updated_at IS 'When the row was last changed (UTC).';

CREATE TABLE steps (
    id SERIAL NOT NULL,
    run_id UUID NOT NULL,
    step TEXT NOT NULL,
    status TEXT NOT NULL,
    llm_model TEXT,
    token_usage JSONB,
    error_message TEXT,
    retry_count INTEGER DEFAULT 0 NOT NULL,
    started_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    completed_at TIMESTAMP,
    prompt_version INTEGER,
    PRIMARY KEY (id),
    CONSTRAINT ck_steps_status CHECK (status IN ('pending', 'running', 'paused', 'completed', 'failed', 'skipped')),
    CONSTRAINT ck_steps_token_usage CHECK (jsonb_typeof(token_usage) IN ('object', 'array')),
    CONSTRAINT ck_steps_retry_count CHECK (retry_count >= 0),
    CONSTRAINT ck_steps_times CHECK (completed_at >= started_at),
    FOREIGN KEY (run_id) REFERENCES runs (id),
    FOREIGN KEY (step, prompt_version) REFERENCES prompts (step, version)
);
CREATE INDEX idx_steps_run ON steps (run_id);
CREATE INDEX idx_steps_prompt ON steps (step, prompt_version);
COMMENT ON TABLE steps IS 'Steps of runs: single executions.';
COMMENT ON COLUMN steps.id IS 'Key of the execution.';
COMMENT ON COLUMN steps.run_id IS 'Run that the step belongs to.';
COMMENT ON COLUMN steps.step IS 'Name of the step.';
COMMENT ON COLUMN steps.status IS 'pending, running, paused, completed, failed or skipped.';
COMMENT ON COLUMN steps.llm_model IS 'Model that was called, by the provider''s name for it; null if none was.';
COMMENT ON COLUMN steps.token_usage IS
    'Tokens as the provider reported them, a JSON object in its own shape; of a streamed answer a list of all reports, '
    'in their order. Null if nothing was reported.';
COMMENT ON COLUMN steps.error_message IS 'Why the step failed, or had to be tried again.';
COMMENT ON COLUMN steps.retry_count IS 'How often the step was tried again.';
COMMENT ON COLUMN steps.started_at IS 'When the step started, or the row was written if it has not (UTC).';
COMMENT ON COLUMN steps.completed_at IS 'When the step ended, however it ended (UTC).';
COMMENT ON COLUMN steps.prompt_version IS 'Version of the step''s prompt that was used; null if none was.';

CREATE TABLE artifacts (
    id SERIAL NOT NULL,
    run_id UUID NOT NULL,
    step TEXT NOT NULL,
    file_type TEXT NOT NULL,
    file_path TEXT NOT NULL,
    digest TEXT NOT NULL,
    metadata JSONB,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    size_bytes BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (file_path),
    CONSTRAINT ck_artifacts_digest CHECK (digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_artifacts_size_bytes CHECK (size_bytes >= 0),
    FOREIGN KEY (run_id) REFERENCES runs (id)
);
CREATE INDEX idx_artifacts_run ON artifacts (run_id);
COMMENT ON TABLE artifacts IS 'Files that steps wrote; their content is in the storage.';
COMMENT ON COLUMN artifacts.id IS 'Key of the file.';
COMMENT ON COLUMN artifacts.run_id IS 'Run that wrote the file.';
COMMENT ON COLUMN artifacts.step IS 'Step that wrote the file.';
COMMENT ON COLUMN artifacts.file_type IS 'Format of the file, such as json or html.';
COMMENT ON COLUMN artifacts.file_path IS
    'Path in the storage: storage/<tenant>/<run>/<step>/output.json, or a path in artifacts/ beside it.';
COMMENT ON COLUMN artifacts.digest IS 'SHA-256 of the content, in 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN artifacts.metadata IS
    'Free attributes, as JSON: summary, a short text for people, and metrics, such as the number of characters.';
COMMENT ON COLUMN artifacts.created_at IS 'When the file was written (UTC).';
COMMENT ON COLUMN artifacts.size_bytes IS 'Size of the content in bytes.';

CREATE TABLE audit_logs (
    id SERIAL NOT NULL,
    user_id TEXT NOT NULL,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    details JSONB,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (id)
);
COMMENT ON TABLE audit_logs IS 'Who did what to which object.';
COMMENT ON COLUMN audit_logs.id IS 'Key of the record.';
COMMENT ON COLUMN audit_logs.user_id IS 'User who did it, by the application''s key.';
COMMENT ON COLUMN audit_logs.action IS 'What was done, such as run.start.';
COMMENT ON COLUMN audit_logs.resource_type IS 'Kind of the object, such as run or prompt.';
COMMENT ON COLUMN audit_logs.resource_id IS 'Key of the object. No foreign key: the record outlives the object.';
COMMENT ON COLUMN audit_logs.details IS 'Whatever else the application wrote down, as JSON.';
COMMENT ON COLUMN audit_logs.created_at IS 'When it was done (UTC).';
"""

# A writer that sets updated_at itself, to restore a backup for instance, is left alone; so is an update that changes nothing.
TOUCH = """
CREATE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now() AT TIME ZONE 'utc';
    RETURN NEW;
END $$;
COMMENT ON FUNCTION set_updated_at() IS 'Sets updated_at to the present time.';
CREATE TRIGGER runs_updated_at_trigger
    BEFORE UPDATE ON runs
    FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION set_updated_at();
"""

DOWNGRADE = """
DROP TABLE audit_logs;
DROP TABLE artifacts;
DROP TABLE steps;
DROP TABLE runs;
DROP FUNCTION set_updated_at();
DROP TABLE prompts;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments, and what keeps `updated_at` true."""
    op.execute(TABLES)
    op.execute(TOUCH)


def downgrade() -> None:
    """Drop the tables and the function."""
    op.execute(DOWNGRADE)
