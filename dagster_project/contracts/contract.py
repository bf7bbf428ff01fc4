"""The typed source contract: what of a source database may be read, and how.

Belongs here: the shape of `defs/sources/<system>/defs.yaml`. Does not belong here: its tables (`table`), what a schema cannot say
(`problems`), the file itself (`loading`).
"""

from collections.abc import Collection
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints

from dagster_project.contracts.table import BoundTable, Identifier, TableContract, loading_schema, raw_schema

SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]


class Freshness(BaseModel, extra="forbid", frozen=True):
    """How old the last sync of a table may be, in hours."""

    warn_after_hours: Annotated[float, Field(gt=0)]
    error_after_hours: Annotated[float, Field(gt=0)]


class Limits(BaseModel, extra="forbid", frozen=True):
    """What a sync may ask of the source.

    Attributes:
        connections: Connections at once, that of the snapshot included; all of them load new tables, later one reads, and change data
            capture needs a second one to ask its slot.
        lock_timeout_seconds: How long to wait for a table that a change of schema has locked; the source's writers queue behind us.
        statement_timeout_minutes: How long a single read may take.
        idle_timeout_minutes: How long the source waits for us within a sync before it ends our transaction.
        snapshot_minutes: How long one snapshot may be held open, which keeps the source from cleaning up.
        read_megabytes_per_second: How fast rows may be read, over all connections together; None for as fast as it goes.
        slot_gigabytes: How much write-ahead log the replication slot may hold back before it is dropped.
        tenants: How many tenants one command syncs at once, where there are tenants.
    """

    connections: Annotated[int, Field(ge=1, le=8)] = 4
    lock_timeout_seconds: Annotated[float, Field(gt=0)] = 10
    statement_timeout_minutes: Annotated[float, Field(gt=0)] = 60
    idle_timeout_minutes: Annotated[float, Field(gt=0)] = 10
    snapshot_minutes: Annotated[float, Field(gt=0)] = 120
    read_megabytes_per_second: Annotated[float, Field(gt=0)] | None = None
    slot_gigabytes: Annotated[float, Field(gt=0)] = 5
    tenants: Annotated[int, Field(ge=1, le=32)] = 2


class Tenants(BaseModel, extra="forbid", frozen=True):
    """Customers with a database each. The tables of the system are in every one of these, and rows of two customers never in one.

    Attributes:
        listed_in: The table of another system that lists them, as `system.table`.
        id: Its column that names a tenant.
        name: Its column with the name of the tenant for people.
        url: Its column with the URL of the tenant's database. It is used and never read into a warehouse, so no contract declares it.
        is_active: Its column that says whether the tenant is a customer still.
    """

    listed_in: Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]
    id: Identifier
    name: Identifier
    url: Identifier
    is_active: Identifier

    @property
    def system(self) -> str:
        """The system that lists them."""
        return self.listed_in.partition(".")[0]

    @property
    def table(self) -> str:
        """Its table that lists them, by its name in Runmart."""
        return self.listed_in.partition(".")[2]


class HandedOver(BaseModel, extra="forbid", frozen=True):
    """Rows that Runmart writes itself: what the tenants of another system have published, each in its own warehouse.

    Attributes:
        tenants_of: The system with tenants.
        tenant: The column that says whose a row is; every table has it in its key.
        marts: By table, the mart of a tenant's warehouse of which it has the rows. Their columns are those that the table declares.
        told_in: The table that says up to which refresh a tenant has handed over.
    """

    tenants_of: SystemName
    tenant: Identifier
    marts: Annotated[dict[Identifier, Identifier], Field(min_length=1)]
    told_in: Identifier


class SystemContract(BaseModel, extra="forbid", frozen=True, populate_by_name=True):
    """One source system: a database that Runmart reads, or one for each tenant, all of the same tables.

    Attributes:
        system: The one name of the system: folder, asset group, dbt source, key prefix.
        description: What the system is.
        capture: How changed rows are found (see `ingestion.capture`): by the `horizon` of the last snapshot, which needs SELECT only, or
            by change data capture (`cdc`) from a replication slot.
        limits: What a sync may ask of the source.
        schema_name: Schema that its tables are in unless a table says otherwise.
        freshness: How old the last sync may be.
        tenants: Where its tenants are listed, if each has a database of its own; None if the system is one database.
        handed_over: Where its rows come from, if Runmart hands them over from warehouses of tenants; None if others write them.
        tables: Contract by the name that the table has in Runmart.
    """

    system: SystemName
    description: Annotated[str, StringConstraints(min_length=1)]
    capture: Literal["horizon", "cdc"] = "horizon"
    limits: Limits = Limits()
    schema_name: Annotated[Identifier, Field(alias="schema")] = "public"
    freshness: Freshness
    tenants: Tenants | None = None
    handed_over: HandedOver | None = None
    tables: Annotated[dict[Identifier, TableContract], Field(min_length=1)]

    @property
    def raw_schema(self) -> str:
        """Schema of the warehouse that holds the raw tables."""
        return raw_schema(self.system)

    @property
    def loading_schema(self) -> str:
        """Schema of the warehouse that holds raw tables until their first sync is whole."""
        return loading_schema(self.system)

    def table(self, name: str) -> BoundTable:
        """One of its tables, by its name in Runmart."""
        declared = self.tables[name]
        return BoundTable(self.system, name, declared.schema_name or self.schema_name, declared)

    def bound_tables(self) -> tuple[BoundTable, ...]:
        """All its tables, in their order."""
        return tuple(self.table(name) for name in self.tables)

    def components(self) -> list[tuple[str, ...]]:
        """Tables that declared foreign keys tie together, in whatever direction: each table is in one component, often alone."""
        components: list[set[str]] = []
        for name, table in self.tables.items():
            parents = {reference.parent for reference in table.references}
            tied = {name} | (parents & self.tables.keys())
            apart = [component for component in components if component.isdisjoint(tied)]
            components = [*apart, tied.union(*(component for component in components if not component.isdisjoint(tied)))]
        in_order = (tuple(name for name in self.tables if name in component) for component in components)
        return sorted(in_order, key=lambda component: [*self.tables].index(component[0]))

    def only(self, tables: Collection[str]) -> Self:
        """The same contract with some of its tables."""
        return self.model_copy(update={"tables": {name: table for name, table in self.tables.items() if name in tables}})
