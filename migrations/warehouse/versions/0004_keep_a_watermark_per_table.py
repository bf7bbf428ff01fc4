"""Keep how far each table has been read, what reading cost, and what was repaired.

A database that was synced before has no state per table: its next sync compares every table in full, once, and goes on from there.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create table_state and repairs; let a batch be unfinished."""
    op.execute(
        """
        create table ops.table_state (
            system text not null,
            table_name text not null,
            batch_id bigint not null references ops.batches,
            is_loading boolean not null,
            snapshot text not null,
            system_identifier text not null,
            timeline bigint not null,
            database_oid bigint not null,
            next_transaction xid8 not null,
            started_at timestamptz not null,
            position pg_lsn not null,
            snapshot_at timestamptz not null,
            shape text not null,
            columns text[] not null,
            leaves jsonb not null,
            live_rows bigint not null,
            publication text,
            published_from xid8,
            primary key (system, table_name)
        )
        """
    )
    op.execute(
        "comment on table ops.table_state is 'The watermark of each raw table: the source snapshot that its live rows equal; "
        "is_loading: its first load is done, but the system''s first sync is not, and the table is still in loading_<system>'"
    )
    op.execute(
        """
        create table ops.repairs (
            repair_id bigint generated always as identity primary key,
            batch_id bigint not null references ops.batches on delete cascade,
            system text not null,
            table_name text not null,
            key jsonb not null,
            difference text not null check (difference in ('lost', 'extra', 'stale')),
            is_repaired boolean not null,
            found_at timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute("create index repairs_by_table on ops.repairs (system, table_name, repair_id desc)")
    op.execute(
        "comment on table ops.repairs is 'Rows that a reconciliation found to differ from the source, by key: "
        "lost (missing in raw), extra (gone from the source), stale (other values)'"
    )
    op.execute("drop table ops.sync_state")
    op.execute(
        """
        create table ops.sync_state (
            system text primary key,
            batch_id bigint not null references ops.batches,
            acknowledged pg_lsn,
            committed_at timestamptz not null default clock_timestamp()
        )
        """
    )
    op.execute(
        "comment on table ops.sync_state is 'The last committed sync of each system, "
        "and how far its replication slot may have been acknowledged'"
    )
    op.execute("alter table ops.batches alter column committed_at drop not null, alter column committed_at drop default")
    op.execute("alter table ops.batches add column lag_seconds double precision, add column lag_transactions bigint")
    op.execute("alter table ops.table_syncs add column found_by text not null default 'full read', add column bytes_read bigint")
    op.execute("alter table ops.table_syncs alter column found_by drop default")
    op.execute("comment on column ops.batches.lag_seconds is 'Age of the source snapshot when the batch was committed'")
    op.execute("comment on column ops.batches.lag_transactions is 'Transactions that the source began in that time'")
    op.execute("comment on column ops.table_syncs.found_by is 'How the rows that may differ were found'")
    op.execute("grant select, insert, update, delete on ops.table_state, ops.repairs, ops.sync_state to runmart_ingest")
    op.execute("grant select on ops.table_state, ops.repairs, ops.sync_state to runmart_transform")


def downgrade() -> None:
    """Drop what was added; the next sync compares every table in full."""
    op.execute("drop table ops.repairs, ops.table_state, ops.sync_state")
    op.execute("alter table ops.table_syncs drop column found_by, drop column bytes_read")
    op.execute("alter table ops.batches drop column lag_seconds, drop column lag_transactions")
    op.execute("update ops.batches set committed_at = started_at where committed_at is null")
    op.execute("alter table ops.batches alter column committed_at set default clock_timestamp(), alter column committed_at set not null")
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
    op.execute("grant select, insert, update, delete on ops.sync_state to runmart_ingest")
    op.execute("grant select on ops.sync_state to runmart_transform")
