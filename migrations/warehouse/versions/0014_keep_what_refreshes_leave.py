"""Keep which models a refresh leaves as they are, because nothing touches them."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the next refresh is a full one, so that every mart has the candidate that it leaves."""
    op.execute("delete from ops.refresh_under_way")
    op.execute("delete from ops.built_models")
    op.execute("alter table ops.refresh_under_way add column untouched text[] not null")
    op.execute("comment on column ops.refresh_under_way.untouched is 'Models that it need not build, since nothing touches them'")


def downgrade() -> None:
    """Drop the column; the next refresh is a full one."""
    op.execute("delete from ops.refresh_under_way")
    op.execute("delete from ops.built_models")
    op.execute("alter table ops.refresh_under_way drop column untouched")
