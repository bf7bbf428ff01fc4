"""Alembic's entry point, shared by every database.

Belongs here: connecting and comparing. Does not belong here: anything of one database; its tables come from
`migrations/<name>/models.py` where that exists (the warehouse has none: its raw and mart tables are not Alembic's).
"""

from importlib import import_module
from importlib.util import find_spec

from alembic import context
from sqlalchemy import MetaData, create_engine, pool

from dagster_project.resources.databases import Databases, sqlalchemy_url
from dagster_project.settings import Settings

config = context.config
name = config.config_ini_section


def target_metadata() -> MetaData | None:
    """Tables that `alembic check` compares the database with."""
    module = f"migrations.{name}.models"
    return import_module(module).Base.metadata if find_spec(module) else None


def include_object(_object: object, object_name: str | None, kind: str, reflected: bool, compare_to: object | None) -> bool:
    """Leave partitions to the functions that create them: a reflected table without a model is one."""
    return not (kind == "table" and reflected and compare_to is None and is_partition(object_name))


def is_partition(table: str | None) -> bool:
    """Whether the name is that of a calendar partition, such as predictions_2025_q1 or system_logs_2025_01."""
    return table is not None and table.rsplit("_", 2)[-2:-1] != [] and table.rsplit("_", 2)[1].isdigit()


url = config.attributes.get("url") or sqlalchemy_url(Databases(Settings.from_environment()).url(name))
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=target_metadata(),
        include_schemas=True,
        include_object=include_object,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
