"""Add the audit log, and the triggers that keep it complete, `updated_at` true and the keys of runs as they are."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TOUCHED_TABLES = ("users", "organizations", "pipelines")

# Runs are a history themselves: they are not audited.
AUDITED_KEYS = {
    "users": ("id",),
    "organizations": ("id",),
    "organization_members": ("organization_id", "user_id"),
    "pipelines": ("id",),
    "storage_files": ("id",),
    "api_keys": ("id",),
}

AUDIT_TABLE = """
CREATE TABLE audit_logs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    table_name VARCHAR(63) NOT NULL,
    operation VARCHAR(20) NOT NULL,
    row_key JSONB,
    changed_fields JSONB,
    database_role VARCHAR(63) NOT NULL,
    user_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_audit_logs_operation CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
);
CREATE INDEX idx_audit_logs_table ON audit_logs (table_name);
CREATE INDEX idx_audit_logs_user ON audit_logs (user_id);
CREATE INDEX idx_audit_logs_created_at ON audit_logs (created_at DESC);
COMMENT ON TABLE audit_logs IS 'Who changed which row when; which fields changed, but no values.';
COMMENT ON COLUMN audit_logs.operation IS 'INSERT, UPDATE, DELETE or TRUNCATE.';
COMMENT ON COLUMN audit_logs.row_key IS 'Primary key of the row, as a JSON object; null for TRUNCATE.';
COMMENT ON COLUMN audit_logs.changed_fields IS 'Names of the columns that an update changed, as a JSON list; null for other operations.';
COMMENT ON COLUMN audit_logs.database_role IS 'Database role that logged in (session_user).';
COMMENT ON COLUMN audit_logs.user_id IS
    'User on whose behalf the application acted, as its setting pipe_service.user_id says. No foreign key: the record outlives the user.';
"""

TOUCH_FUNCTION = """
CREATE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := CURRENT_TIMESTAMP;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION set_updated_at() IS 'Sets updated_at to the present time.';
"""

# A writer that sets updated_at itself, to restore a backup for instance, is left alone; so is an update that changes nothing.
TOUCH_TRIGGER = """
CREATE TRIGGER {table}_updated_at_trigger
    BEFORE UPDATE ON {table}
    FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION set_updated_at();
"""

# A run is known by its key everywhere else; one with another time would be another run.
KEEP_KEY = """
CREATE FUNCTION refuse_change_of_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the key of a row of % does not change', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', HINT = 'Leave id and started_at as they are.';
END $$;
COMMENT ON FUNCTION refuse_change_of_key() IS 'Refuses an update that would change the key of a row.';
CREATE TRIGGER pipeline_runs_key_trigger
    BEFORE UPDATE ON pipeline_runs
    FOR EACH ROW
    WHEN ((OLD.id, OLD.started_at) IS DISTINCT FROM (NEW.id, NEW.started_at))
    EXECUTE FUNCTION refuse_change_of_key();
"""

# Runs with its owner's rights, so that those who may change a table need none on the audit log and cannot rewrite it. A key is used far
# more often than it is changed; its last use is no change.
AUDIT_FUNCTION = """
CREATE FUNCTION log_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN to_jsonb(NEW) END;
    changed jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_agg(key ORDER BY key) INTO changed
        FROM jsonb_each(after)
        WHERE value IS DISTINCT FROM before -> key AND key NOT IN ('updated_at', 'last_used_at');
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO public.audit_logs (table_name, operation, row_key, changed_fields, database_role, user_id)
    VALUES (
        TG_TABLE_NAME,
        TG_OP,
        (SELECT jsonb_object_agg(key, value) FROM jsonb_each(coalesce(before, after)) WHERE key = ANY (TG_ARGV)),
        changed,
        session_user,
        nullif(current_setting('pipe_service.user_id', true), '')::uuid
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION log_changes() IS 'Records a change in audit_logs; its arguments are the columns of the key.';
REVOKE ALL ON FUNCTION log_changes() FROM PUBLIC;
"""

AUDIT_TRIGGERS = """
CREATE TRIGGER {table}_audit_trigger
    AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW
    EXECUTE FUNCTION log_changes({key});
CREATE TRIGGER {table}_audit_truncate_trigger
    AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT
    EXECUTE FUNCTION log_changes({key});
"""

DROP_AUDIT_TRIGGERS = """
DROP TRIGGER {table}_audit_truncate_trigger ON {table};
DROP TRIGGER {table}_audit_trigger ON {table};
"""


def upgrade() -> None:
    """Create the audit log, the functions and the triggers that call them."""
    op.execute(AUDIT_TABLE)
    op.execute(TOUCH_FUNCTION)
    for table in TOUCHED_TABLES:
        op.execute(TOUCH_TRIGGER.format(table=table))
    op.execute(KEEP_KEY)
    op.execute(AUDIT_FUNCTION)
    for table, key in AUDITED_KEYS.items():
        op.execute(AUDIT_TRIGGERS.format(table=table, key=", ".join(f"'{column}'" for column in key)))


def downgrade() -> None:
    """Drop the triggers, their functions and the audit log with what was recorded."""
    for table in AUDITED_KEYS:
        op.execute(DROP_AUDIT_TRIGGERS.format(table=table))
    op.execute("DROP FUNCTION log_changes()")
    op.execute("DROP TRIGGER pipeline_runs_key_trigger ON pipeline_runs")
    op.execute("DROP FUNCTION refuse_change_of_key()")
    for table in TOUCHED_TABLES:
        op.execute(f"DROP TRIGGER {table}_updated_at_trigger ON {table}")
    op.execute("DROP FUNCTION set_updated_at()")
    op.execute("DROP TABLE audit_logs")
