"""Add the functions that create and archive partitions."""

from alembic import op

from migrations import calendar_partitions

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PARTITIONED_TABLES = ("app.job_runs",)


def upgrade() -> None:
    """Create the functions."""
    op.execute(calendar_partitions.create(PARTITIONED_TABLES, administrator="materials_jobs_admin"))


def downgrade() -> None:
    """Drop the functions; the partitions stay, because they hold rows."""
    op.execute(calendar_partitions.DROP)
