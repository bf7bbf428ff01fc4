"""Create the tables that platform roles lock to keep out of each other's way; nobody else can reach them.

A sync creates the table of its system; a downgrade drops them all.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create schema locks and the table of publications."""
    op.execute("create schema locks")
    op.execute("comment on schema locks is 'Empty tables; who holds the lock of one may sync that system, or publish'")
    op.execute("create table locks.publication ()")
    op.execute("grant usage, create on schema locks to runmart_ingest")
    op.execute("grant usage on schema locks to runmart_transform")
    # PostgreSQL lets no one lock a table who may not change its rows, of which this has none.
    op.execute("grant update on locks.publication to runmart_transform")


def downgrade() -> None:
    """Drop them."""
    op.execute("drop schema locks cascade")
