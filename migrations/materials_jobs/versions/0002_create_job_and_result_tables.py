"""Create the tables of jobs, their runs, files and results."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JOBS = """
CREATE TABLE app.jobs (
    id BIGSERIAL NOT NULL,
    project_id BIGINT NOT NULL,
    created_by BIGINT,
    name TEXT,
    description TEXT,
    type TEXT NOT NULL,
    parameters JSONB,
    status TEXT DEFAULT 'pending' NOT NULL,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_jobs_status CHECK (status IN ('pending', 'running', 'success', 'failed')),
    FOREIGN KEY (project_id) REFERENCES app.projects (id) ON DELETE CASCADE,
    FOREIGN KEY (created_by) REFERENCES app.users (id)
);
CREATE INDEX jobs_project_id_idx ON app.jobs (project_id);
CREATE INDEX jobs_created_by_idx ON app.jobs (created_by);
CREATE INDEX jobs_status_idx ON app.jobs (status);
CREATE INDEX jobs_created_at_idx ON app.jobs (created_at);
CREATE INDEX jobs_parameters_idx ON app.jobs USING gin (parameters);
COMMENT ON TABLE app.jobs IS 'Jobs: simulations to be run, once or in several attempts.';
COMMENT ON COLUMN app.jobs.type IS 'What computes the job, such as comsol, vasp or emt.';
COMMENT ON COLUMN app.jobs.parameters IS 'Input of the simulation as a JSON object; units stand in the names.';
COMMENT ON COLUMN app.jobs.status IS 'That of the newest run, kept by a trigger; pending without a run and while that is queued.';
"""

JOB_RUNS = """
CREATE TABLE app.job_runs (
    id BIGSERIAL NOT NULL,
    job_id BIGINT NOT NULL,
    run_number INTEGER DEFAULT 1 NOT NULL,
    status TEXT DEFAULT 'queued' NOT NULL,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    exit_code INTEGER,
    metadata JSONB,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id, created_at),
    CONSTRAINT ck_job_runs_status CHECK (status IN ('queued', 'running', 'success', 'failed')),
    CONSTRAINT ck_job_runs_run_number CHECK (run_number > 0),
    CONSTRAINT ck_job_runs_times CHECK (finished_at >= started_at),
    FOREIGN KEY (job_id) REFERENCES app.jobs (id) ON DELETE CASCADE
) PARTITION BY RANGE (created_at);
CREATE TABLE app.job_runs_default PARTITION OF app.job_runs DEFAULT;
CREATE INDEX job_runs_job_id_idx ON app.job_runs (job_id);
CREATE INDEX job_runs_status_idx ON app.job_runs (status);
CREATE INDEX job_runs_created_at_idx ON app.job_runs (created_at);
CREATE UNIQUE INDEX uq_job_runs_job_id_run_number_created_at ON app.job_runs (job_id, run_number, created_at);
COMMENT ON TABLE app.job_runs IS 'Runs: attempts at a job; partitioned by calendar month (UTC) of created_at.';
COMMENT ON COLUMN app.job_runs.run_number IS 'Number of the attempt, unique within the job.';
COMMENT ON COLUMN app.job_runs.started_at IS 'When a worker took the run up; created_at is when it was queued.';
COMMENT ON COLUMN app.job_runs.exit_code IS 'Exit code of the process; negative: the signal that killed it.';
COMMENT ON COLUMN app.job_runs.metadata IS 'What is known of the run beside its columns, as a JSON object; units stand in the names.';
COMMENT ON COLUMN app.job_runs.created_at IS 'When the run was queued; part of its key, and never changed.';
"""

# Months are those of UTC, whatever the session says.
PARTITIONS = """
DO $$
DECLARE
    month timestamp;
BEGIN
    FOR month IN SELECT generate_series(timestamp '2025-01-01', timestamp '2026-12-01', interval '1 month') LOOP
        EXECUTE format(
            'CREATE TABLE app.%I PARTITION OF app.job_runs FOR VALUES FROM (%L) TO (%L)',
            to_char(month, '"job_runs_"YYYY_MM'),
            month AT TIME ZONE 'UTC',
            (month + interval '1 month') AT TIME ZONE 'UTC'
        );
    END LOOP;
END $$;
"""

# A null in one of the two columns alone would refer to nothing without being noticed.
RESULTS = """
CREATE TABLE app.files (
    id BIGSERIAL NOT NULL,
    project_id BIGINT,
    job_run_id BIGINT,
    job_run_created_at TIMESTAMPTZ,
    name TEXT NOT NULL,
    mime_type TEXT,
    storage_path TEXT NOT NULL,
    size_bytes BIGINT,
    created_by BIGINT,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_files_size_bytes CHECK (size_bytes >= 0),
    CONSTRAINT ck_files_job_run CHECK ((job_run_id IS NULL) = (job_run_created_at IS NULL)),
    FOREIGN KEY (project_id) REFERENCES app.projects (id) ON DELETE SET NULL,
    FOREIGN KEY (job_run_id, job_run_created_at) REFERENCES app.job_runs (id, created_at) ON DELETE SET NULL,
    FOREIGN KEY (created_by) REFERENCES app.users (id)
);
CREATE INDEX files_project_id_idx ON app.files (project_id);
CREATE INDEX files_job_run_id_idx ON app.files (job_run_id, job_run_created_at);
CREATE INDEX files_created_by_idx ON app.files (created_by);
CREATE INDEX files_created_at_idx ON app.files (created_at);
COMMENT ON TABLE app.files IS 'Files that runs read or wrote; their content is kept elsewhere.';
COMMENT ON COLUMN app.files.job_run_created_at IS 'created_at of the run, the second part of its key.';
COMMENT ON COLUMN app.files.storage_path IS 'Key in the object store, or path.';

CREATE TABLE app.vasp_results (
    id BIGSERIAL NOT NULL,
    job_run_id BIGINT,
    job_run_created_at TIMESTAMPTZ,
    result_path TEXT,
    summary JSONB,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_vasp_results_job_run CHECK ((job_run_id IS NULL) = (job_run_created_at IS NULL)),
    FOREIGN KEY (job_run_id, job_run_created_at) REFERENCES app.job_runs (id, created_at) ON DELETE CASCADE
);
CREATE INDEX vasp_results_job_run_id_idx ON app.vasp_results (job_run_id, job_run_created_at);
CREATE INDEX vasp_results_created_at_idx ON app.vasp_results (created_at);
COMMENT ON TABLE app.vasp_results IS 'Results of atomistic computations, as light metadata; the whole result is a file.';
COMMENT ON COLUMN app.vasp_results.job_run_created_at IS 'created_at of the run, the second part of its key.';
COMMENT ON COLUMN app.vasp_results.result_path IS 'Path of the Parquet file, or key in the object store.';
COMMENT ON COLUMN app.vasp_results.summary IS 'The main numbers of the result as a JSON object; units stand in the names.';
"""

DOWNGRADE = """
DROP TABLE app.vasp_results;
DROP TABLE app.files;
DROP TABLE app.job_runs;
DROP TABLE app.jobs;
"""


def upgrade() -> None:
    """Create the tables with their indexes, comments, and the partitions of 2025 and 2026."""
    for statements in (JOBS, JOB_RUNS, PARTITIONS, RESULTS):
        op.execute(statements)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
