"""Keep which marts stand as they were because their own checks fail."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create quality.held_marts, and add what fails to the refresh under way."""
    op.execute(
        """
        create table quality.held_marts (
            mart text primary key,
            refresh_id bigint not null references ops.refreshes,
            reason text not null,
            held_since timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute("alter table ops.refresh_under_way add column failing jsonb not null default '{}'")
    for name, comment in {
        "table quality.held_marts": "Marts, histories and views that stand as they were: they, or marts that they need, fail checks",
        "column quality.held_marts.refresh_id": "The last refresh that was published without it",
        "column ops.refresh_under_way.failing": "Models whose data tests failed when they were built, each with the reason",
    }.items():
        op.execute(f"comment on {name} is '{comment}'")
    op.execute("grant select, insert, update, delete on quality.held_marts to runmart_transform")
    op.execute("grant select on quality.held_marts to runmart_analyst")


def downgrade() -> None:
    """Drop them; what is held back then holds back the whole refresh."""
    op.execute("drop table quality.held_marts")
    op.execute("alter table ops.refresh_under_way drop column failing")
