"""Alembic's entry point, shared by every database.

Belongs here: connecting and comparing. Does not belong here: anything of one database; its tables come from
`migrations/<name>/models.py` where that exists (the warehouse has none: its raw and mart tables are not Alembic's).
"""

from collections.abc import Callable, Mapping, Set
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from alembic import context
from sqlalchemy import Connection, MetaData, create_engine, pool, text

from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.resources.databases import Databases
from dagster_project.settings import Settings

_PARTITIONS = text(
    "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relispartition"
)

# A foreign key to a partitioned table has a copy for each partition, which comes and goes with that.
_COPIES = text(
    "select n.nspname, c.relname, k.conname from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid "
    "join pg_catalog.pg_namespace n on n.oid = c.relnamespace where k.contype = 'f' and k.conparentid <> 0"
)

config = context.config
name: str = config.attributes["name"]


def target_metadata() -> MetaData | None:
    """Tables that `alembic check` compares the database with."""
    module = f"migrations.{name}.models"
    return import_module(module).Base.metadata if find_spec(module) else None


def partitions(connection: Connection) -> frozenset[tuple[str, ...]]:
    """Schema and name of each partition; schema, table and name of each foreign key that is there because of one."""
    found = frozenset(tuple(map(str, row)) for query in (_PARTITIONS, _COPIES) for row in connection.execute(query))
    # Looking began a transaction, and Alembic would leave its end to us.
    connection.rollback()
    return found


def compared(schemas: Set[str | None], partitions: Set[tuple[str, ...]]) -> Callable[[str | None, str, Mapping[Any, str | None]], bool]:
    """What of the database `alembic check` looks at: the schemas of the models, without the partitions, which functions create."""

    def include_name(object_name: str | None, kind: str, parents: Mapping[Any, str | None]) -> bool:
        if kind == "schema":
            return object_name in schemas
        schema = parents["schema_name"] or "public"
        if kind == "foreign_key_constraint":
            return (schema, parents["table_name"], object_name) not in partitions
        return kind != "table" or (schema, object_name) not in partitions

    return include_name


url = config.attributes["url"] or sqlalchemy_url(Databases(Settings.from_environment()).url(name))
metadata = target_metadata()
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=compared({table.schema for table in metadata.tables.values()} if metadata else set(), partitions(connection)),
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
