"""Keep which tables stand still and why, and read json that may be none."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create standing_tables and json_or_null."""
    op.execute(
        """
        create table ops.standing_tables (
            system text not null,
            table_name text not null,
            stands_since timestamptz not null default clock_timestamp(),
            failing text[] not null,
            reason text,
            primary key (system, table_name)
        )
        """
    )
    op.execute(
        "comment on table ops.standing_tables is 'Tables that syncs leave at their last snapshot, "
        "because they fail or foreign keys tie them to one that does'"
    )
    op.execute("comment on column ops.standing_tables.stands_since is 'When a sync first left it behind'")
    op.execute("comment on column ops.standing_tables.failing is 'The failing tables that it is tied to, itself among them or not'")
    op.execute("comment on column ops.standing_tables.reason is 'What it fails for; null if only tables that it is tied to do'")
    op.execute("grant select, insert, update, delete on ops.standing_tables to runmart_ingest")
    op.execute("grant select on ops.standing_tables to runmart_transform")
    # A value of type json may be one that jsonb has no room for. Only from version 16 on can PostgreSQL be asked without an exception.
    op.execute(
        """
        create function ops.json_or_null(document json) returns jsonb language plpgsql immutable strict parallel safe as
        $function$
        begin
            return document::jsonb;
        exception when data_exception or program_limit_exceeded then
            return null;
        end
        $function$
        """
    )
    op.execute("comment on function ops.json_or_null is 'A json value as jsonb; null where jsonb cannot hold it'")


def downgrade() -> None:
    """Drop them."""
    op.execute("drop function ops.json_or_null cascade")
    op.execute("drop table ops.standing_tables")
