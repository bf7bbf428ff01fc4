"""Hold the ranges of metrics, which are declared in a file, where the queries of checks can read them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create quality.metric_ranges and let analysts read it."""
    op.execute(
        """
        create table quality.metric_ranges (
            metric_name text not null,
            experiment_name text,
            expected_min double precision not null,
            expected_max double precision not null,
            possible_min double precision not null,
            possible_max double precision not null,
            convention text not null
        )
        """
    )
    op.execute("create unique index metric_ranges_key on quality.metric_ranges (metric_name, coalesce(experiment_name, ''))")
    op.execute("comment on table quality.metric_ranges is 'Copy of expectations/metric_ranges.yaml, made when metrics are checked'")
    op.execute("comment on column quality.metric_ranges.experiment_name is 'Null: in all experiments that have no range of their own'")
    op.execute("comment on column quality.metric_ranges.expected_min is 'By convention; a value outside is a warning'")
    op.execute("comment on column quality.metric_ranges.possible_min is 'What there can be; a value outside is critical'")
    # A lock keeps two checks from writing at once.
    op.execute("grant select, insert, update, delete on quality.metric_ranges to runmart_transform")
    op.execute("grant select on quality.metric_ranges to runmart_analyst")


def downgrade() -> None:
    """Drop it."""
    op.execute("drop table quality.metric_ranges")
