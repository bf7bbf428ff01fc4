"""Keep what each refresh of the marts published, and up to which batches: the next one goes on from there."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create refreshes."""
    op.execute(
        """
        create table ops.refreshes (
            refresh_id bigint generated always as identity primary key,
            started_at timestamptz not null,
            published_at timestamptz not null default clock_timestamp(),
            definition text not null,
            project_files text,
            batches jsonb not null,
            is_full boolean not null,
            is_complete boolean not null,
            next_due_at timestamptz,
            marts jsonb not null
        )
        """
    )
    op.execute("comment on table ops.refreshes is 'One row per publication of marts'")
    op.execute("comment on column ops.refreshes.definition is 'Digest of the dbt project that built them'")
    op.execute("comment on column ops.refreshes.project_files is 'Digest of its files; null if dbt was started by hand'")
    op.execute("comment on column ops.refreshes.batches is 'The last batch of each system that they reflect'")
    op.execute("comment on column ops.refreshes.is_full is 'Whether everything was recomputed, instead of what new batches had touched'")
    op.execute("comment on column ops.refreshes.is_complete is 'Whether all marts of the project were among them'")
    op.execute("comment on column ops.refreshes.next_due_at is 'When a mart will be out of date by the passing of time alone'")
    op.execute("comment on column ops.refreshes.marts is 'Rows inserted and deleted by mart; a row that changed counts as both'")
    op.execute("grant select, insert on ops.refreshes to runmart_transform")


def downgrade() -> None:
    """Drop it; the next refresh recomputes everything."""
    op.execute("drop table ops.refreshes")
