"""Create the table that every Great Expectations result goes to."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create quality.validation_results and let analysts read it."""
    op.execute(
        """
        create table quality.validation_results (
            validation_id bigint generated always as identity primary key,
            run_id text not null,
            asset_key text not null,
            suite text not null,
            expectation text not null,
            column_name text,
            severity text not null check (severity in ('critical', 'warning')),
            is_success boolean not null,
            evaluated_rows bigint,
            failing_rows bigint,
            failing_sample jsonb not null default '[]',
            failing_query text,
            error text,
            batch_id bigint,
            validated_at timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute("create index validation_results_by_asset on quality.validation_results (asset_key, validated_at desc)")
    op.execute("create index validation_results_by_run on quality.validation_results (run_id)")
    op.execute("comment on table quality.validation_results is 'One row per expectation and run: verdict, counts, sample, query'")
    op.execute("grant select, insert, delete on quality.validation_results to runmart_transform")
    op.execute("grant select on quality.validation_results to runmart_analyst")


def downgrade() -> None:
    """Drop the table with its history."""
    op.execute("drop table quality.validation_results")
