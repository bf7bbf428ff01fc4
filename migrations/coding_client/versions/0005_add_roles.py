"""Add the roles coding_client_reader, coding_client_app and coding_client_admin, and their rights."""

from alembic import op

from migrations import cluster_roles

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = ("coding_client_reader", "coding_client_app", "coding_client_admin")

# The reader has whole tables: reading under one snapshot takes a lock that needs the right on the table, not on columns. What the
# application has done to files and what it has logged is an audit, which it cannot rewrite.
GRANT_RIGHTS = """
GRANT USAGE ON SCHEMA public TO coding_client_reader, coding_client_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO coding_client_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO coding_client_reader;

GRANT SELECT, INSERT ON file_operations, system_logs TO coding_client_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    users, auth_tokens, projects, worktrees, worktree_sync_history, sessions, collaboration_sessions, notification_settings,
    notification_history, system_settings
    TO coding_client_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO coding_client_app;

GRANT ALL ON SCHEMA public, archive TO coding_client_admin;
GRANT ALL ON ALL TABLES IN SCHEMA public TO coding_client_admin;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO coding_client_admin;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO coding_client_admin;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO coding_client_admin;
"""

REVOKE_RIGHTS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM coding_client_reader, coding_client_admin;
REVOKE ALL ON ALL TABLES IN SCHEMA public, archive FROM coding_client_reader, coding_client_app, coding_client_admin;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM coding_client_reader, coding_client_app, coding_client_admin;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM coding_client_reader, coding_client_app, coding_client_admin;
REVOKE ALL ON SCHEMA public, archive FROM coding_client_reader, coding_client_app, coding_client_admin;
"""


def upgrade() -> None:
    """Create the roles and grant their rights."""
    for statements in (cluster_roles.create(*ROLES, owner="coding_client_admin"), GRANT_RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    """Revoke what this database granted, and drop the roles that no other database uses."""
    for statements in (REVOKE_RIGHTS, cluster_roles.drop(*ROLES)):
        op.execute(statements)
