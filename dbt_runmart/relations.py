"""Names of relations, which hold in every warehouse.

dbt writes the name of the database into each. PostgreSQL has no use for it, and what was parsed or compiled for one database would say
nothing in another.

Belongs here: leaving it out. Does not belong here: which database a process connects to (`connections`).
"""

from dataclasses import dataclass, field

from dbt.adapters.base.relation import InformationSchema
from dbt.adapters.contracts.relation import Policy
from dbt.adapters.postgres.relation import PostgresRelation


@dataclass(frozen=True, eq=False, repr=False)
class RelationOfAnyDatabase(PostgresRelation):
    """As dbt's own, called by its schema and its name."""

    include_policy: Policy = field(default_factory=lambda: Policy(database=False))

    def information_schema(self, view_name: str | None = None) -> InformationSchema:
        """A view of the information schema, called by its schema and its name."""
        return super().information_schema(view_name).include(database=False)
