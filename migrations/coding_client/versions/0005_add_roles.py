"""Add the roles coding_client_reader, coding_client_app and coding_client_admin, and their rights."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Roles belong to the cluster: another database may have made them, or be making them now.
CREATE_ROLES = """
DO $$
DECLARE
    role_name name;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['coding_client_reader', 'coding_client_app', 'coding_client_admin'] LOOP
        IF to_regrole(quote_ident(role_name)) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END LOOP;
    EXECUTE format('GRANT ALL ON DATABASE %I TO coding_client_admin', current_database());
END $$;
"""

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

# A role that still has rights in another database of the cluster, or members, is in use and stays. (Since PostgreSQL 16 a creator that is
# no superuser is a member of what it created.)
DROP_ROLES = """
DO $$
DECLARE
    role_name name;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['coding_client_reader', 'coding_client_app', 'coding_client_admin'] LOOP
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), role_name);
        CONTINUE WHEN EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = role_name::regrole AND member <> current_user::regrole);
        BEGIN
            EXECUTE format('DROP ROLE %I', role_name);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            NULL;
        END;
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Create the roles and grant their rights."""
    for statements in (CREATE_ROLES, GRANT_RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    """Revoke what this database granted, and drop the roles that no other database uses."""
    for statements in (REVOKE_RIGHTS, DROP_ROLES):
        op.execute(statements)
