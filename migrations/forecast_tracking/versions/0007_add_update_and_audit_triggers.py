"""Add the triggers that keep `updated_at` true and the audit log complete."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TOUCHED_TABLES = (
    "experiments",
    "runs",
    "datasets",
    "dataset_features",
    "models",
    "model_registry",
    "metric_summaries",
    "hyperparameter_search_spaces",
    "artifacts",
    "users",
    "system_config",
    "tags",
)

# Tables of bulk data (metrics, predictions, log lines and the like) are not audited: their audit log would outgrow them.
AUDITED_KEYS = {
    "experiments": "experiment_id",
    "runs": "run_id",
    "datasets": "dataset_id",
    "models": "model_id",
    "model_registry": "registry_id",
    "users": "user_id",
    "user_experiments": "user_experiment_id",
    "system_config": "config_id",
}

TOUCH_FUNCTION = """
CREATE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now() AT TIME ZONE 'utc';
    RETURN NEW;
END $$;
COMMENT ON FUNCTION set_updated_at() IS 'Sets updated_at to the present time, in UTC.';
"""

# A writer that sets updated_at itself, to restore a backup for instance, is left alone; so is an update that changes nothing.
TOUCH_TRIGGER = """
CREATE TRIGGER {table}_updated_at_trigger
    BEFORE UPDATE ON {table}
    FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION set_updated_at();
"""

# Runs with its owner's rights, so that those who may change a table need none on the audit log and cannot rewrite it.
AUDIT_FUNCTION = """
CREATE FUNCTION audit.log_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN to_jsonb(NEW) END;
    changed jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(key, value) INTO changed FROM jsonb_each(after) WHERE value IS DISTINCT FROM before -> key;
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO audit.audit_logs (
        table_name, operation_type, record_id, old_values, new_values, changed_fields, user_id, user_ip, session_id
    ) VALUES (
        TG_TABLE_NAME,
        TG_OP,
        (coalesce(after, before) ->> TG_ARGV[0])::bigint,
        before,
        after,
        changed,
        session_user,
        host(inet_client_addr()),
        (
            SELECT to_hex(floor(extract(epoch FROM backend_start))::bigint) || '.' || to_hex(pid)
            FROM pg_stat_get_activity(pg_backend_pid())
        )
    );
    RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.log_changes() IS 'Records a change in audit.audit_logs; its argument is the column that holds the key.';
REVOKE ALL ON FUNCTION audit.log_changes() FROM PUBLIC;
"""

AUDIT_TRIGGERS = """
CREATE TRIGGER {table}_audit_trigger
    AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW
    EXECUTE FUNCTION audit.log_changes('{key}');
CREATE TRIGGER {table}_audit_truncate_trigger
    AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT
    EXECUTE FUNCTION audit.log_changes('{key}');
"""

DROP_AUDIT_TRIGGERS = """
DROP TRIGGER {table}_audit_truncate_trigger ON {table};
DROP TRIGGER {table}_audit_trigger ON {table};
"""


def upgrade() -> None:
    """Create the two functions and the triggers that call them."""
    op.execute(TOUCH_FUNCTION)
    for table in TOUCHED_TABLES:
        op.execute(TOUCH_TRIGGER.format(table=table))
    op.execute(AUDIT_FUNCTION)
    for table, key in AUDITED_KEYS.items():
        op.execute(AUDIT_TRIGGERS.format(table=table, key=key))


def downgrade() -> None:
    """Drop the triggers and their functions; what was recorded stays."""
    for table in AUDITED_KEYS:
        op.execute(DROP_AUDIT_TRIGGERS.format(table=table))
    op.execute("DROP FUNCTION audit.log_changes()")
    for table in TOUCHED_TABLES:
        op.execute(f"DROP TRIGGER {table}_updated_at_trigger ON {table}")
    op.execute("DROP FUNCTION set_updated_at()")
