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
    """

    connections: Annotated[int, Field(ge=1, le=8)] = 4
    lock_timeout_seconds: Annotated[float, Field(gt=0)] = 10
    statement_timeout_minutes: Annotated[float, Field(gt=0)] = 60
    idle_timeout_minutes: Annotated[float, Field(gt=0)] = 10
    snapshot_minutes: Annotated[float, Field(gt=0)] = 120
    read_megabytes_per_second: Annotated[float, Field(gt=0)] | None = None
    slot_gigabytes: Annotated[float, Field(gt=0)] = 5


class SystemContract(BaseModel, extra="forbid", frozen=True, populate_by_name=True):
    """One source system: a database that Runmart reads.

    Attributes:
        system: The one name of the system: folder, asset group, dbt source, key prefix.
        description: What the system is.
        capture: How changed rows are found (see `ingestion.capture`): by the `horizon` of the last snapshot, which needs SELECT only, or
            by change data capture (`cdc`) from a replication slot.
        limits: What a sync may ask of the source.
        schema_name: Schema that its tables are in unless a table says otherwise.
        freshness: How old the last sync may be.
        tables: Contract by the name that the table has in Runmart.
    """

    system: SystemName
    description: Annotated[str, StringConstraints(min_length=1)]
    capture: Literal["horizon", "cdc"] = "horizon"
    limits: Limits = Limits()
    schema_name: Annotated[Identifier, Field(alias="schema")] = "public"
    freshness: Freshness
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
