"""Create the audit log."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE audit.logs (
    id BIGSERIAL NOT NULL,
    who BIGINT,
    action TEXT NOT NULL,
    object_type TEXT,
    object_id TEXT,
    payload JSONB,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (who) REFERENCES app.users (id)
);
CREATE INDEX logs_who_idx ON audit.logs (who);
CREATE INDEX logs_action_idx ON audit.logs (action);
CREATE INDEX logs_created_at_idx ON audit.logs (created_at);
COMMENT ON TABLE audit.logs IS 'Important operations: who did what to which object.';
COMMENT ON COLUMN audit.logs.who IS 'User who acted; null for a database role that is no user.';
COMMENT ON COLUMN audit.logs.action IS 'insert, update, delete or truncate; the application may record actions of its own.';
COMMENT ON COLUMN audit.logs.object_type IS 'Kind of the object, such as project or job.';
COMMENT ON COLUMN audit.logs.object_id IS 'Key of the object, as text.';
COMMENT ON COLUMN audit.logs.payload IS 'Database role that acted, and the row, or what was changed with old and new value.';
"""


def upgrade() -> None:
    """Create the table with its indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE audit.logs")
