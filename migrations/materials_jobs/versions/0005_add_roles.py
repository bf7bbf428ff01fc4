"""Add the roles materials_jobs_reader, materials_jobs_writer and materials_jobs_admin, and their rights."""

from alembic import op

from migrations import cluster_roles

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = ("materials_jobs_reader", "materials_jobs_writer", "materials_jobs_admin")

# Writers neither delete what was computed, nor say by hand what triggers say: the status of a job and the audit log.
GRANT_RIGHTS = """
GRANT USAGE ON SCHEMA app, analytics, audit TO materials_jobs_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA app, analytics, audit TO materials_jobs_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO materials_jobs_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO materials_jobs_reader;

GRANT USAGE ON SCHEMA app TO materials_jobs_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO materials_jobs_writer;
GRANT INSERT ON app.users, app.projects, app.materials, app.job_runs, app.files, app.vasp_results TO materials_jobs_writer;
GRANT UPDATE ON app.users, app.projects, app.materials, app.job_runs, app.files, app.vasp_results TO materials_jobs_writer;
GRANT
    INSERT (project_id, created_by, name, description, type, parameters),
    UPDATE (project_id, created_by, name, description, type, parameters)
    ON app.jobs TO materials_jobs_writer;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA app TO materials_jobs_writer;

GRANT ALL ON SCHEMA app, analytics, audit, archive TO materials_jobs_admin;
GRANT ALL ON ALL TABLES IN SCHEMA app, analytics, audit TO materials_jobs_admin;
GRANT ALL ON ALL SEQUENCES IN SCHEMA app, audit TO materials_jobs_admin;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA app, audit TO materials_jobs_admin;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO materials_jobs_admin;
ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT ALL ON TABLES TO materials_jobs_admin;
"""

REVOKE_RIGHTS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE ALL ON TABLES FROM materials_jobs_reader, materials_jobs_admin;
ALTER DEFAULT PRIVILEGES IN SCHEMA analytics REVOKE ALL ON TABLES FROM materials_jobs_reader, materials_jobs_admin;
REVOKE ALL ON ALL TABLES IN SCHEMA app, analytics, audit, archive
    FROM materials_jobs_reader, materials_jobs_writer, materials_jobs_admin;
REVOKE ALL (project_id, created_by, name, description, type, parameters) ON app.jobs FROM materials_jobs_writer;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA app, audit FROM materials_jobs_reader, materials_jobs_writer, materials_jobs_admin;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app, audit FROM materials_jobs_reader, materials_jobs_writer, materials_jobs_admin;
REVOKE ALL ON SCHEMA app, analytics, audit, archive FROM materials_jobs_reader, materials_jobs_writer, materials_jobs_admin;
"""


def upgrade() -> None:
    """Create the roles and grant their rights."""
    op.execute(cluster_roles.create(*ROLES, owner="materials_jobs_admin"))
    op.execute(GRANT_RIGHTS)


def downgrade() -> None:
    """Revoke what this database granted, and drop the roles that no other database uses."""
    op.execute(REVOKE_RIGHTS)
    op.execute(cluster_roles.drop(*ROLES))
