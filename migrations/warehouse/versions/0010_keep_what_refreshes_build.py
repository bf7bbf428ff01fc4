"""Keep what a refresh under way has to do and what refreshes have built, which dbt made until now."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create refresh_under_way and built_models; drop what stood for them, so that the next refresh is a full one."""
    op.execute("create schema if not exists analytics_next authorization runmart_transform")
    op.execute("drop table if exists analytics_next.refresh, analytics_next.built")
    op.execute(
        """
        create table ops.refresh_under_way (
            is_single boolean primary key default true check (is_single),
            started_at timestamptz not null,
            definition text not null,
            seen jsonb not null,
            seen_at timestamptz,
            batches jsonb not null,
            is_full boolean not null,
            is_forced boolean not null,
            left_out text[] not null,
            relations jsonb not null,
            built text[] not null default '{}',
            is_whole boolean not null default false
        )
        """
    )
    for column, comment in {
        "definition": "Digest of the project that it builds",
        "seen": "The last batch of each system that published marts reflect",
        "seen_at": "When the refresh started that published marts reflect",
        "batches": "The last batch of each system that its marts will reflect",
        "is_full": "Whether everything is recomputed, instead of what new batches have touched",
        "is_forced": "Whether a person asked for that",
        "left_out": "Models that it does not build, because raw tables behind them were never synced",
        "relations": "By model, what it reads of touched groups only, and where these stand",
        "built": "The models that it has built",
        "is_whole": "Whether it has built them, and no sync was committed meanwhile",
    }.items():
        op.execute(f"comment on column ops.refresh_under_way.{column} is '{comment}'")
    op.execute("comment on table ops.refresh_under_way is 'What the refresh that was begun last has to do; one row'")
    op.execute(
        """
        create table ops.built_models (
            schema_name text,
            name text,
            kind text not null,
            definition text not null,
            sql text not null,
            reads jsonb not null,
            primary key (schema_name, name)
        )
        """
    )
    op.execute("comment on column ops.built_models.schema_name is 'Where it stands; of a mart its candidate'")
    op.execute("comment on column ops.built_models.kind is 'How dbt materializes it'")
    op.execute("comment on column ops.built_models.reads is 'By raw table, the columns that its SQL makes use of'")
    op.execute("comment on column ops.built_models.definition is 'Digest of the project that it is of'")
    op.execute("comment on table ops.built_models is 'The SQL by which the last full refresh made each model'")
    op.execute("grant select, insert, update, delete on ops.refresh_under_way, ops.built_models to runmart_transform")
    op.execute("alter table ops.refreshes drop column project_files")


def downgrade() -> None:
    """Drop them."""
    op.execute("alter table ops.refreshes add column project_files text")
    op.execute("comment on column ops.refreshes.project_files is 'Digest of its files; null if dbt was started by hand'")
    op.execute("drop table ops.built_models, ops.refresh_under_way")
