"""Keep the last verdict of each check, and every row that failed one."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create quality.verdicts, quality.counted_rows and quality.failing_rows; let analysts read them."""
    op.execute(
        """
        create table quality.verdicts (
            asset_key text,
            check_name text,
            definition text not null,
            batch_id bigint,
            refresh_started_at timestamptz,
            is_success boolean not null,
            failing_rows bigint,
            error text,
            validated_at timestamptz not null,
            primary key (asset_key, check_name)
        )
        """
    )
    op.execute(
        """
        create table quality.counted_rows (
            asset_key text primary key,
            batch_id bigint,
            refresh_started_at timestamptz,
            rows bigint not null
        )
        """
    )
    op.execute(
        """
        create table quality.failing_rows (
            failing_row_id bigint generated always as identity primary key,
            asset_key text not null,
            check_name text not null,
            key jsonb not null,
            copy integer not null,
            observed json not null,
            batch_id bigint,
            first_seen_at timestamptz not null,
            last_seen_at timestamptz not null,
            resolved_at timestamptz
        )
        """
    )
    op.execute("create unique index failing_rows_open on quality.failing_rows (asset_key, check_name, key, copy) where resolved_at is null")
    for table, columns in {
        "verdicts": {
            "definition": "Digest of what the check asks",
            "batch_id": "The last batch that the verdict reflects; null if it could not be found out",
            "refresh_started_at": "When the refresh started whose marts were checked; null for raw tables",
            "failing_rows": "How many rows fail; null if that could not be found out",
            "error": "Why the check could not be evaluated; null if it was",
        },
        "counted_rows": {
            "batch_id": "The last batch that the number reflects",
            "refresh_started_at": "When the refresh started whose rows were counted; null for raw tables",
        },
        "failing_rows": {
            "key": "Columns by which the row is known again",
            "copy": "Which of several rows with this key, from 1",
            "observed": "The key, and the values at fault",
            "batch_id": "The batch that brought the failure",
            "last_seen_at": "When it was last found; of a row that is resolved, when it was last known to fail",
            "resolved_at": "When it was found to fail no more; null while it fails",
        },
    }.items():
        for column, comment in columns.items():
            op.execute(f"comment on column quality.{table}.{column} is '{comment}'")
    op.execute("comment on table quality.verdicts is 'What each check found when it was last asked'")
    op.execute("comment on table quality.counted_rows is 'How many rows a raw table or a mart has, kept so that nobody has to count them'")
    op.execute("comment on table quality.failing_rows is 'Every row that fails or has failed a check'")
    # Until now a check was called after its table, too.
    op.execute(
        "update quality.validation_results set expectation = substr(expectation, length(split_part(asset_key, '/', 2)) + 3) "
        "where starts_with(expectation, split_part(asset_key, '/', 2) || '__')"
    )
    is_change = "rows_inserted + rows_updated + rows_deleted > 0"
    op.execute(f"create index table_syncs_with_changes on ops.table_syncs (system, table_name, batch_id) where {is_change}")
    op.execute(
        "create index table_syncs_of_first_loads on ops.table_syncs (system, table_name, batch_id) where found_by like '%first load%'"
    )
    op.execute("create table locks.checks ()")
    op.execute("grant update on locks.checks to runmart_transform")
    op.execute("grant select, insert, update, delete on quality.verdicts, quality.counted_rows, quality.failing_rows to runmart_transform")
    op.execute("grant select on quality.verdicts, quality.counted_rows, quality.failing_rows to runmart_analyst")


def downgrade() -> None:
    """Drop them; the next checks ask about all rows."""
    op.execute("drop index ops.table_syncs_with_changes, ops.table_syncs_of_first_loads")
    op.execute("drop table locks.checks, quality.failing_rows, quality.counted_rows, quality.verdicts")
