"""A warehouse as a value: what tells one from another, and what follows from that.

Belongs here: names and folders that keep warehouses apart, and connections that act as one of the platform's roles. Does not belong here:
which warehouse there is (`resources.databases` makes the value from the settings), and what is in it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.errors import RunmartError
from dagster_project.postgres.roles import act_as

# Two underscores join a namespace and a name, so neither of two namespaces can be read as the beginning of the other's names.
_NAME = re.compile("([a-z][a-z0-9]*(_[a-z0-9]+)*)?")


class NamespaceError(RunmartError):
    """A warehouse cannot have this name; the message says which it can have."""


@dataclass(frozen=True)
class Namespace:
    """What all names that Dagster knows of a warehouse begin with; those of the default warehouse begin with nothing.

    Attributes:
        name: Name of the warehouse; empty for the default one. The warehouses of all tenants of a system have one, and are partitions.
        tenants_of: The system with tenants whose rows are in it, in a warehouse those of one tenant; None if it has those of all others.

    Raises:
        NamespaceError: The name would not keep its warehouse apart.
    """

    name: str = ""
    tenants_of: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that could run into others."""
        if not _NAME.fullmatch(self.name):
            raise NamespaceError(
                f"a warehouse cannot be called {self.name!r}: take small letters, digits and single underscores, beginning with a letter"
            )

    def path(self, *names: str) -> list[str]:
        """The parts of an asset key."""
        return [*([self.name] if self.name else []), *names]

    def label(self, name: str) -> str:
        """The name of a pool, a group, a step, a job, a schedule or a sensor."""
        return "__".join(self.path(name))


DEFAULT = Namespace()


def of_tenants(system: str) -> Namespace:
    """What the names of the warehouses of all tenants of a system begin with."""
    return Namespace(system, tenants_of=system)


def shared_part(path: Sequence[str]) -> tuple[str, ...]:
    """What the keys of the same asset in all warehouses end with: `(system, table)` or `(schema, model)`."""
    return tuple(path[-2:])


@dataclass(frozen=True)
class Warehouse:
    """One warehouse. Two of them share nothing but what their servers share: roles, and limits of those.

    Attributes:
        url: libpq URL; its user must be a member of runmart_ingest and runmart_transform.
        home: Folder of its state; it is made when something is written.
        namespace: What its names in Dagster begin with.
        history_days: Days for which versions of mart rows that have ended are kept; None for ever.
        tenant: The tenant whose rows it has; None if it has no tenant's.
    """

    url: str = field(repr=False)
    home: Path
    namespace: Namespace = DEFAULT
    history_days: int | None = None
    tenant: str | None = None

    @property
    def data_docs(self) -> Path:
        """Folder of the pages that show what was checked."""
        return self.home / "data_docs"

    @property
    def dbt_target(self) -> Path:
        """Folder of what dbt writes: its logs, what it has run, and what it has parsed."""
        return self.home / "dbt"

    @contextmanager
    def connection(self, role: str) -> Iterator[Connection]:
        """A connection that acts as one of the platform's roles; commits at the end, rolls back on an error."""
        with self.opened(role) as connection, connection:
            yield connection

    @contextmanager
    def opened(self, role: str) -> Iterator[Connection]:
        """A connection that acts as one of the platform's roles, for transactions of its user's own."""
        with closing(psycopg2.connect(self.url, application_name="runmart")) as connection:
            with connection, connection.cursor() as cursor:
                act_as(cursor, role)
            yield connection

    @contextmanager
    def looking(self, role: str, application: str = "runmart") -> Iterator[Cursor]:
        """A cursor of one snapshot that acts as one of the platform's roles; whatever it makes is gone at the end."""
        with closing(psycopg2.connect(self.url, application_name=application)) as connection:
            connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
            with connection.cursor() as cursor:
                act_as(cursor, role)
                yield cursor
            connection.rollback()
