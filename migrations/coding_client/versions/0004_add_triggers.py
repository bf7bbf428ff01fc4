"""Add the triggers that keep `updated_at` and the statistics of projects true."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TOUCHED_TABLES = (
    "users",
    "projects",
    "worktrees",
    "sessions",
    "collaboration_sessions",
    "notification_settings",
    "system_settings",
)

TOUCH_FUNCTION = """
CREATE FUNCTION update_updated_at_column() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION update_updated_at_column() IS 'Sets updated_at to the present time.';
"""

# A writer that sets updated_at itself, to restore a backup for instance, is left alone; so is an update that changes nothing.
TOUCH_TRIGGER = """
CREATE TRIGGER tr_{table}_updated_at
    BEFORE UPDATE ON {table}
    FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)
    EXECUTE FUNCTION update_updated_at_column();
"""

# The projects are locked before anything is counted: a statement that waits for a lock counts what it saw before it waited. The order of
# their keys keeps two writers, each of whom moves a row between the same projects, from waiting for each other.
STATISTICS_FUNCTION = """
CREATE FUNCTION update_project_stats() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched integer[] := ARRAY[
        CASE WHEN TG_OP <> 'INSERT' THEN OLD.project_id END,
        CASE WHEN TG_OP <> 'DELETE' THEN NEW.project_id END
    ];
BEGIN
    PERFORM id FROM public.projects WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
    IF TG_TABLE_NAME = 'sessions' THEN
        UPDATE public.projects AS p
        SET
            total_sessions = (SELECT count(*) FROM public.sessions AS s WHERE s.project_id = p.id),
            last_activity = now()
        WHERE p.id = ANY (touched);
    ELSE
        UPDATE public.projects AS p
        SET
            total_worktrees = (SELECT count(*) FROM public.worktrees AS w WHERE w.project_id = p.id),
            last_activity = now()
        WHERE p.id = ANY (touched);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION update_project_stats() IS
    'Counts the sessions or worktrees of the project that a changed row belongs to, and of the one that it belonged to before.';
"""

STATISTICS_TRIGGER = """
CREATE TRIGGER tr_{table}_project_stats
    AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW
    EXECUTE FUNCTION update_project_stats();
"""


def upgrade() -> None:
    """Create the two functions and the triggers that call them."""
    op.execute(TOUCH_FUNCTION)
    for table in TOUCHED_TABLES:
        op.execute(TOUCH_TRIGGER.format(table=table))
    op.execute(STATISTICS_FUNCTION)
    for table in ("sessions", "worktrees"):
        op.execute(STATISTICS_TRIGGER.format(table=table))


def downgrade() -> None:
    """Drop the triggers and their functions."""
    for table in ("sessions", "worktrees"):
        op.execute(f"DROP TRIGGER tr_{table}_project_stats ON {table}")
    op.execute("DROP FUNCTION update_project_stats()")
    for table in TOUCHED_TABLES:
        op.execute(f"DROP TRIGGER tr_{table}_updated_at ON {table}")
    op.execute("DROP FUNCTION update_updated_at_column()")
