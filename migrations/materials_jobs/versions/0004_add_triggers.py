"""Add the triggers that keep `updated_at` true, attempts unique, the status of jobs that of their runs, and the audit log complete."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TOUCHED_TABLES = ("users", "projects", "jobs")

# Of runs, files and results, what is lost is recorded: to record what comes would write each of them twice.
AUDITED = {
    "users": ("user", "INSERT OR UPDATE OR DELETE"),
    "projects": ("project", "INSERT OR UPDATE OR DELETE"),
    "materials": ("material", "INSERT OR UPDATE OR DELETE"),
    "jobs": ("job", "INSERT OR UPDATE OR DELETE"),
    "job_runs": ("job_run", "DELETE"),
    "files": ("file", "DELETE"),
    "vasp_results": ("vasp_result", "DELETE"),
}

TOUCH_FUNCTION = """
CREATE FUNCTION app.set_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION app.set_updated_at() IS 'Sets updated_at to the present time.';
"""

TOUCH_TRIGGER = """
CREATE TRIGGER {table}_updated_at_trigger
    BEFORE UPDATE ON app.{table}
    FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at)
    EXECUTE FUNCTION app.set_updated_at();
"""

# Before PostgreSQL 15, foreign keys take a row that moves to another partition for a deleted one: its results would be deleted too.
KEY_FUNCTION = """
CREATE FUNCTION app.refuse_another_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'id and created_at of job run % are its key and cannot be changed', OLD.id
        USING ERRCODE = 'restrict_violation', SCHEMA = 'app', TABLE = 'job_runs';
END $$;
COMMENT ON FUNCTION app.refuse_another_key() IS 'Refuses to change the key of a job run, by which files and results refer to it.';
CREATE TRIGGER job_runs_key_trigger
    BEFORE UPDATE ON app.job_runs
    FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.created_at <> NEW.created_at)
    EXECUTE FUNCTION app.refuse_another_key();
"""

# The lock lets runs of one job come one after the other. Every one of them writes the job, whatever its status was: so a transaction whose
# snapshot is older than such a run fails to serialize, and does not overlook it. The second statement sees what the first has waited for.
# It runs with its owner's rights: who adds runs needs no right to the status of a job.
RUNS_FUNCTION = """
CREATE FUNCTION app.follow_job_runs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    affected bigint[] := CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[NEW.job_id] WHEN 'DELETE' THEN ARRAY[OLD.job_id] ELSE ARRAY[OLD.job_id, NEW.job_id]
    END;
BEGIN
    PERFORM FROM app.jobs AS j WHERE j.id = ANY (affected) ORDER BY j.id FOR NO KEY UPDATE;
    IF TG_OP <> 'DELETE' AND EXISTS (
        SELECT FROM app.job_runs AS r
        WHERE r.job_id = NEW.job_id AND r.run_number = NEW.run_number AND (r.id, r.created_at) <> (NEW.id, NEW.created_at)
    ) THEN
        RAISE EXCEPTION 'job % has a run number % already', NEW.job_id, NEW.run_number
            USING ERRCODE = 'unique_violation', SCHEMA = 'app', TABLE = 'job_runs', CONSTRAINT = 'uq_job_runs_job_id_run_number';
    END IF;
    UPDATE app.jobs AS j
    SET status = coalesce(
        (
            SELECT CASE r.status WHEN 'queued' THEN 'pending' ELSE r.status END
            FROM app.job_runs AS r WHERE r.job_id = j.id ORDER BY r.run_number DESC LIMIT 1
        ),
        'pending'
    )
    WHERE j.id = ANY (affected);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION app.follow_job_runs() IS
    'Refuses a run number that its job has already, and gives the job the status of its newest run.';
REVOKE ALL ON FUNCTION app.follow_job_runs() FROM PUBLIC;
CREATE TRIGGER job_runs_follow_trigger
    AFTER INSERT OR DELETE OR UPDATE OF job_id, run_number, status ON app.job_runs
    FOR EACH ROW
    EXECUTE FUNCTION app.follow_job_runs();
"""

# The status of a job follows from its runs, and updated_at from everything: neither is an operation of its own. The kind of object comes as
# an argument, since TG_TABLE_NAME names the partition.
AUDIT_FUNCTION = """
CREATE FUNCTION audit.log_operation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    acting_user text := nullif(current_setting('materials_jobs.user_id', true), '');
    before jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN to_jsonb(NEW) END;
    changed jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(key, jsonb_build_object('old', before -> key, 'new', value)) INTO changed
        FROM jsonb_each(after) WHERE value IS DISTINCT FROM before -> key AND key NOT IN ('status', 'updated_at');
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO audit.logs (who, action, object_type, object_id, payload) VALUES (
        (
            SELECT u.id FROM app.users AS u
            WHERE CASE WHEN acting_user IS NULL THEN u.username = session_user ELSE u.id::text = acting_user END
        ),
        lower(TG_OP),
        TG_ARGV[0],
        coalesce(after, before) ->> 'id',
        jsonb_build_object('role', session_user)
            || CASE TG_OP
                WHEN 'UPDATE' THEN jsonb_build_object('changed', changed)
                WHEN 'TRUNCATE' THEN '{}'
                ELSE jsonb_build_object('row', coalesce(after, before))
            END
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.log_operation() IS
    'Records an operation on a kind of object, its argument. Who acts: the setting materials_jobs.user_id, else the role that logged in.';
REVOKE ALL ON FUNCTION audit.log_operation() FROM PUBLIC;
"""

AUDIT_TRIGGERS = """
CREATE TRIGGER {table}_audit_trigger
    AFTER {operations} ON app.{table}
    FOR EACH ROW
    EXECUTE FUNCTION audit.log_operation('{kind}');
CREATE TRIGGER {table}_audit_truncate_trigger
    AFTER TRUNCATE ON app.{table}
    FOR EACH STATEMENT
    EXECUTE FUNCTION audit.log_operation('{kind}');
"""

DROP_AUDIT_TRIGGERS = """
DROP TRIGGER {table}_audit_truncate_trigger ON app.{table};
DROP TRIGGER {table}_audit_trigger ON app.{table};
"""

DROP_RUN_TRIGGERS = """
DROP TRIGGER job_runs_follow_trigger ON app.job_runs;
DROP FUNCTION app.follow_job_runs();
DROP TRIGGER job_runs_key_trigger ON app.job_runs;
DROP FUNCTION app.refuse_another_key();
"""


def upgrade() -> None:
    """Create the functions and the triggers that call them."""
    op.execute(TOUCH_FUNCTION)
    for table in TOUCHED_TABLES:
        op.execute(TOUCH_TRIGGER.format(table=table))
    op.execute(KEY_FUNCTION)
    op.execute(RUNS_FUNCTION)
    op.execute(AUDIT_FUNCTION)
    for table, (kind, operations) in AUDITED.items():
        op.execute(AUDIT_TRIGGERS.format(table=table, kind=kind, operations=operations))


def downgrade() -> None:
    """Drop the triggers and their functions; what was recorded stays."""
    for table in AUDITED:
        op.execute(DROP_AUDIT_TRIGGERS.format(table=table))
    op.execute("DROP FUNCTION audit.log_operation()")
    op.execute(DROP_RUN_TRIGGERS)
    for table in TOUCHED_TABLES:
        op.execute(f"DROP TRIGGER {table}_updated_at_trigger ON app.{table}")
    op.execute("DROP FUNCTION app.set_updated_at()")
