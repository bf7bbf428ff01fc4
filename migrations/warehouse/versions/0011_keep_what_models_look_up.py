"""Keep which relations a model reads only for rows of others, which need not be narrowed."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add looks_up; until the next full refresh nothing counts as looked up."""
    op.execute("alter table ops.built_models add column looks_up text[] not null default '{}'")
    op.execute("comment on column ops.built_models.looks_up is 'The relations that its SQL reads only for rows of others'")


def downgrade() -> None:
    """Drop it."""
    op.execute("alter table ops.built_models drop column looks_up")
