"""Add the roles of the application, of readers, of syncs and of administrators, with the least rights that each needs."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = "pipe_service_app, pipe_service_readonly, pipe_service_sync, pipe_service_admin"

# Roles belong to the cluster: another database may have made them, or be making them now.
CREATE_ROLES = f"""
DO $$
DECLARE
    role_name name;
BEGIN
    FOREACH role_name IN ARRAY string_to_array('{ROLES}', ', ') LOOP
        IF to_regrole(quote_ident(role_name)) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END LOOP;
END $$;
"""

# The application marks users, organizations and pipelines as deleted, so it may delete none of them. A sync locks the tables that it reads,
# for which PostgreSQL wants the right on the whole table; people who read get the columns without the hashes.
GRANT_RIGHTS = f"""
GRANT USAGE ON SCHEMA public TO {ROLES};

GRANT SELECT, INSERT, UPDATE ON users, organizations, organization_members, pipelines, pipeline_runs, storage_files TO pipe_service_app;
GRANT SELECT, INSERT, UPDATE (name, last_used_at, expires_at) ON api_keys TO pipe_service_app;
GRANT DELETE ON organization_members, storage_files, api_keys TO pipe_service_app;

GRANT SELECT ON organizations, organization_members, pipelines, pipeline_runs, storage_files, audit_logs TO pipe_service_readonly;
GRANT SELECT (id, email, name, status, created_at, updated_at) ON users TO pipe_service_readonly;
GRANT SELECT (id, organization_id, name, last_used_at, created_by, created_at, expires_at) ON api_keys TO pipe_service_readonly;

GRANT SELECT ON
    users, organizations, organization_members, pipelines, pipeline_runs, storage_files, api_keys, audit_logs
    TO pipe_service_sync;

GRANT ALL ON SCHEMA public, archive TO pipe_service_admin;
GRANT ALL ON ALL TABLES IN SCHEMA public TO pipe_service_admin;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO pipe_service_admin;
"""

REVOKE_RIGHTS = f"""
REVOKE ALL ON ALL TABLES IN SCHEMA public, archive FROM {ROLES};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM {ROLES};
REVOKE ALL ON SCHEMA public, archive FROM {ROLES};
"""

# A role that still has rights in another database of the cluster, or members, is in use and stays. (Since PostgreSQL 16 a creator that is
# no superuser is a member of what it created.)
DROP_ROLES = f"""
DO $$
DECLARE
    role_name name;
BEGIN
    FOREACH role_name IN ARRAY string_to_array('{ROLES}', ', ') LOOP
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
