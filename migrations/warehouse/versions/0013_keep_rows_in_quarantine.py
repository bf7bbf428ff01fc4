"""Keep rows that break a critical rule from the marts, and marts apart that tables hold back."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Raw tables, those that are still loaded included.
_EACH_RAW_TABLE = """
do $$
declare
    raw record;
begin
    for raw in
        select attrelid::regclass as name
        from pg_catalog.pg_attribute
        inner join pg_catalog.pg_class as class on class.oid = attrelid and class.relkind = 'r'
        where
            attname = '_batch_id'
            and (starts_with(relnamespace::regnamespace::text, 'raw_') or starts_with(relnamespace::regnamespace::text, 'loading_'))
    loop
        execute format('alter table %s {change}', raw.name);
    end loop;
end
$$
"""


def upgrade() -> None:
    """Create quality.quarantine, quality.held_tables, ops.table_quarantines and ops.published_marts; add a column to raw tables."""
    op.execute(_EACH_RAW_TABLE.format(change="add column if not exists _quarantined_at timestamptz"))
    op.execute(
        """
        create table quality.quarantine (
            quarantine_id bigint generated always as identity primary key,
            system text not null,
            table_name text not null,
            key jsonb not null,
            checks text[] not null,
            hangs_on jsonb,
            batch_id bigint not null,
            quarantined_at timestamptz not null,
            released_at timestamptz
        )
        """
    )
    op.execute("create unique index quarantine_open on quality.quarantine (system, table_name, key) where released_at is null")
    op.execute(
        """
        create view quality.quarantine_reasons as
        select system, table_name, reason, count(*) as rows
        from quality.quarantine
        cross join lateral unnest(case when checks = '{}' then array['refers to a row in quarantine'] else checks end) as broken (reason)
        where released_at is null
        group by system, table_name, reason
        """
    )
    op.execute(
        """
        create table quality.held_tables (
            system text,
            table_name text,
            reason text not null,
            held_since timestamptz not null default clock_timestamp(),
            primary key (system, table_name)
        )
        """
    )
    op.execute(
        """
        create table ops.table_quarantines (
            batch_id bigint references ops.batches on delete cascade,
            system text not null,
            table_name text,
            rows_quarantined bigint not null,
            rows_released bigint not null,
            primary key (batch_id, table_name)
        )
        """
    )
    op.execute(
        """
        create view ops.table_changes as
        select batch_id, system, table_name, rows_inserted + rows_updated + rows_deleted as rows_changed from ops.table_syncs
        union all
        select batch_id, system, table_name, rows_quarantined + rows_released from ops.table_quarantines
        """
    )
    op.execute(
        """
        create table ops.published_marts (
            mart text primary key,
            refresh_id bigint not null references ops.refreshes
        )
        """
    )
    op.execute(
        """
        insert into ops.published_marts (mart, refresh_id)
        select mart, max(refresh_id) from ops.refreshes cross join lateral jsonb_object_keys(marts) as published (mart) group by mart
        """
    )
    for name, comment in {
        "table quality.quarantine": "Every raw row that is kept from the marts, or was",
        "column quality.quarantine.checks": "The critical rules that it breaks by itself",
        "column quality.quarantine.hangs_on": "The row in quarantine that it refers to; null of one that breaks rules itself",
        "column quality.quarantine.batch_id": "The batch that took it out of the marts",
        "column quality.quarantine.released_at": "When it came back, or was gone from the source; null while it is kept from the marts",
        "view quality.quarantine_reasons": "How many rows are in quarantine, by table and reason; a row that breaks two rules counts twice",
        "table quality.held_tables": "Raw tables of which too much is wrong: marts that read them stand as they were",
        "table ops.table_quarantines": "How many rows of a raw table a batch took out of the marts, and let back",
        "view ops.table_changes": "How many rows of a raw table a batch changed for the marts",
        "table ops.published_marts": "The refresh that published each mart, history and view last",
    }.items():
        op.execute(f"comment on {name} is '{comment}'")
    op.execute("comment on column ops.refreshes.is_complete is 'Whether all marts were among them that it had not left out'")
    # Each mart says for itself now how far it has come.
    op.execute("alter table ops.refresh_under_way drop column seen, drop column seen_at")
    op.execute(
        "comment on column ops.refresh_under_way.left_out is "
        "'Models that it does not build, because raw tables behind them were never synced, or hold them back'"
    )
    op.execute("grant update on locks.checks to runmart_ingest")
    op.execute("grant usage on schema quality to runmart_ingest")
    op.execute("grant select on quality.failing_rows, quality.verdicts, quality.counted_rows to runmart_ingest")
    op.execute("grant select, insert, update, delete on quality.quarantine, quality.held_tables, ops.table_quarantines to runmart_ingest")
    op.execute("grant select on quality.quarantine, quality.quarantine_reasons, quality.held_tables to runmart_transform, runmart_analyst")
    op.execute("grant select on ops.table_quarantines, ops.table_changes to runmart_transform")
    op.execute("grant select, insert, update on ops.published_marts to runmart_transform")


def downgrade() -> None:
    """Drop them; what was in quarantine is read again."""
    op.execute("comment on column ops.refreshes.is_complete is 'Whether all marts of the project were among them'")
    op.execute("delete from ops.refresh_under_way")
    op.execute("alter table ops.refresh_under_way add column seen jsonb not null, add column seen_at timestamptz")
    op.execute("drop view ops.table_changes")
    op.execute("drop table ops.published_marts, ops.table_quarantines, quality.held_tables")
    op.execute("drop table quality.quarantine cascade")
    op.execute(_EACH_RAW_TABLE.format(change="drop column _quarantined_at cascade"))
