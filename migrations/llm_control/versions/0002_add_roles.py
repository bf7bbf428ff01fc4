"""Add the roles of the application, of readers and of syncs, with the least rights that each needs."""

from alembic import op

from migrations import cluster_roles

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLES = ("llm_control_app", "llm_control_readonly", "llm_control_sync")
ALL_ROLES = ", ".join(ROLES)

# A sync locks the tables that it reads, for which PostgreSQL wants the right on the whole table, and finds the databases of tenants by
# their URLs. People who read get the columns without these.
GRANT_RIGHTS = f"""
GRANT USAGE ON SCHEMA public TO {ALL_ROLES};

GRANT SELECT, INSERT, UPDATE ON tenants, llm_providers, llm_models, step_llm_defaults TO llm_control_app;
GRANT DELETE ON tenants, step_llm_defaults TO llm_control_app;
GRANT USAGE ON SEQUENCE llm_models_id_seq TO llm_control_app;

GRANT SELECT ON llm_providers, llm_models, step_llm_defaults TO llm_control_readonly;
GRANT SELECT (id, name, created_at, is_active) ON tenants TO llm_control_readonly;

GRANT SELECT ON tenants, llm_providers, llm_models, step_llm_defaults TO llm_control_sync;
"""

REVOKE_RIGHTS = f"""
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ALL_ROLES};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {ALL_ROLES};
REVOKE ALL ON SCHEMA public FROM {ALL_ROLES};
"""


def upgrade() -> None:
    """Create the roles and grant their rights."""
    for statements in (cluster_roles.create(*ROLES), GRANT_RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    """Revoke what this database granted, and drop the roles that no other database uses."""
    for statements in (REVOKE_RIGHTS, cluster_roles.drop(*ROLES)):
        op.execute(statements)
