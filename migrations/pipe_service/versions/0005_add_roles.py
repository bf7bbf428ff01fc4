"""Add the roles of the application, of readers, of syncs and of administrators, with the least rights that each needs."""

from alembic import op

from migrations import cluster_roles

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = ("pipe_service_app", "pipe_service_readonly", "pipe_service_sync", "pipe_service_admin")
ALL_ROLES = ", ".join(ROLES)

# The application marks users, organizations and pipelines as deleted, so it may delete none of them. A sync locks the tables that it reads,
# for which PostgreSQL wants the right on the whole table; people who read get the columns without the hashes.
GRANT_RIGHTS = f"""
GRANT USAGE ON SCHEMA public TO {ALL_ROLES};

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
REVOKE ALL ON ALL TABLES IN SCHEMA public, archive FROM {ALL_ROLES};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM {ALL_ROLES};
REVOKE ALL ON SCHEMA public, archive FROM {ALL_ROLES};
"""


def upgrade() -> None:
    """Create the roles and grant their rights."""
    for statements in (cluster_roles.create(*ROLES), GRANT_RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    """Revoke what this database granted, and drop the roles that no other database uses."""
    for statements in (REVOKE_RIGHTS, cluster_roles.drop(*ROLES)):
        op.execute(statements)
