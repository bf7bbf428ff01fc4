"""Keep what was found of files in the storage that raw rows name, so that only new and changed ones are read again."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add quality.stored_files."""
    op.execute(
        """
        create table quality.stored_files (
            system text not null,
            table_name text not null,
            key jsonb not null,
            batch_id bigint not null,
            problem text,
            found_at timestamptz not null default clock_timestamp(),
            primary key (system, table_name, key)
        )
        """
    )
    comments = {
        "system": "System of the raw table.",
        "table_name": "The raw table.",
        "key": "Key of the row that names the file.",
        "batch_id": "Batch of the row when its file was read.",
        "problem": "What is wrong with the file: missing, digest, size or place; null if it is as the row says.",
        "found_at": "When that was found, and not found otherwise since.",
    }
    for column, comment in comments.items():
        op.execute(f"comment on column quality.stored_files.{column} is '{comment}'")
    op.execute("comment on table quality.stored_files is 'Files in the storage that raw rows name, as they were when they were last read.'")
    op.execute("grant select, insert, update, delete on quality.stored_files to runmart_transform")
    op.execute("grant select on quality.stored_files to runmart_analyst")


def downgrade() -> None:
    """Drop it."""
    op.execute("drop table quality.stored_files")
