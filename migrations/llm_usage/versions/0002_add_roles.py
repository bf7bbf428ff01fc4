"""Add the roles of the hand-over, of readers and of syncs, with the least rights that each needs."""

from alembic import op

from migrations import cluster_roles

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLES = ("llm_usage_handover", "llm_usage_readonly", "llm_usage_sync")
ALL_ROLES = ", ".join(ROLES)

GRANT_RIGHTS = f"""
GRANT USAGE ON SCHEMA public TO {ALL_ROLES};
GRANT SELECT, INSERT, UPDATE, DELETE ON runs, steps, handed_over TO llm_usage_handover;
GRANT SELECT ON runs, steps, handed_over TO llm_usage_readonly, llm_usage_sync;
"""

REVOKE_RIGHTS = f"""
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ALL_ROLES};
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
