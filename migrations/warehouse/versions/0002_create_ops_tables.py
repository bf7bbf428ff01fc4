"""Create the tables that say how far each source has been read."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create batches, table_syncs and sync_state."""
    op.execute(
        """
        create table ops.batches (
            batch_id bigint generated always as identity primary key,
            system text not null,
            run_id text,
            capture text not null,
            snapshot text not null,
            started_at timestamptz not null,
            committed_at timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute("create index batches_by_system on ops.batches (system, batch_id desc)")
    op.execute("comment on table ops.batches is 'One row per sync: what was written together, under which source snapshot'")
    op.execute(
        """
        create table ops.table_syncs (
            batch_id bigint not null references ops.batches on delete cascade,
            system text not null,
            table_name text not null,
            synced_at timestamptz not null,
            source_rows bigint not null,
            rows_read bigint not null,
            rows_inserted bigint not null,
            rows_updated bigint not null,
            rows_deleted bigint not null,
            seconds double precision not null,
            primary key (batch_id, table_name)
        )
        """
    )
    op.execute("create index table_syncs_by_table on ops.table_syncs (system, table_name, batch_id desc)")
    op.execute("comment on table ops.table_syncs is 'What a sync did to each table; source_rows is its row count at the source snapshot'")
    op.execute(
        """
        create table ops.sync_state (
            system text primary key,
            batch_id bigint not null references ops.batches,
            system_identifier text not null,
            timeline bigint,
            snapshot text not null,
            horizon xid8 not null,
            position pg_lsn,
            columns jsonb not null,
            committed_at timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute("comment on table ops.sync_state is 'The watermark of each system: which server, snapshot and position raw corresponds to'")
    op.execute("grant select, insert, update, delete on all tables in schema ops to runmart_ingest")
    op.execute("grant select on all tables in schema ops to runmart_transform")


def downgrade() -> None:
    """Drop the tables; raw rows stay, and the next sync compares them with the source again."""
    op.execute("drop table ops.sync_state, ops.table_syncs, ops.batches")
