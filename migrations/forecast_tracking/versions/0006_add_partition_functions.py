"""Add the functions that create and archive partitions, and the partitions of 2025 and 2026."""

from alembic import op

from migrations import calendar_partitions

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PERIODS = {"public.predictions": "quarter", "public.system_logs": "month", "audit.audit_logs": "quarter"}

FIRST_PARTITIONS = """
SELECT create_partitions('predictions', '2025-01-01', '2026-12-31');
SELECT create_partitions('system_logs', '2025-01-01', '2026-12-31');
SELECT create_partitions('audit.audit_logs', '2025-01-01', '2026-12-31');
"""


def upgrade() -> None:
    """Create the functions and the first partitions."""
    op.execute(calendar_partitions.create(PERIODS))
    op.execute(FIRST_PARTITIONS)


def downgrade() -> None:
    """Drop the functions; the partitions stay, because they hold rows."""
    op.execute(calendar_partitions.DROP)
