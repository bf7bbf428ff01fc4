"""One table of a contract: what of it may be read, and the names that it goes by on its way.

Belongs here: the entry of a table in `defs.yaml`, and the same entry bound to its system. Does not belong here: the system (`contract`),
and what a schema cannot say (`problems`).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from psycopg2 import sql
from pydantic import BaseModel, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=63)]
ForeignKeyTarget = Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]


class IndexContract(BaseModel, extra="forbid", frozen=True):
    """An index of a raw table beside those of its key and its foreign keys, for what marts find rows by.

    Attributes:
        columns: Its columns, in their order.
        where: Condition in SQL on the columns of the raw table; rows for which it does not hold are left out. None for all rows.
    """

    columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    where: Annotated[str, StringConstraints(min_length=1)] | None = None


class ForeignKey(BaseModel, extra="forbid", frozen=True):
    """Columns that refer to a row of another table, or of the same one.

    As in SQL (`match simple`), a row with a null in any of the columns refers to nothing.

    Attributes:
        columns: Referring columns.
        parent: Name, in the same system, of the table that they refer to.
        parent_columns: Its columns, in the order of `columns`.
    """

    columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    parent: Identifier
    parent_columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]


class Upkeep(BaseModel, extra="forbid", frozen=True):
    """What becomes of old rows in a source database that Runmart builds; of others it is their owners' business.

    Attributes:
        archive_after_months: Partitions that end so long ago go to schema `archive`. What is archived is no longer in the table, and so
            leaves the marts.
        delete_after_days: Rows that are older are deleted.
        dated_by: The column that says how old a row is, for those that are deleted.
    """

    archive_after_months: Annotated[int, Field(ge=1)] | None = None
    delete_after_days: Annotated[int, Field(ge=1)] | None = None
    dated_by: Identifier | None = None


class StoredFiles(BaseModel, extra="forbid", frozen=True):
    """Files in the storage that rows name: what is known of them, and where they may be. A check reads them, and nothing keeps them.

    Attributes:
        path: Column with the path of the file; a row without one names no file.
        digest: Column with the SHA-256 of the content, in hexadecimal digits; where it is null, nothing is said of the content.
        size: Column with the size of the content in bytes; where it is null, nothing is said of the size.
        prefix: What all paths begin with, such as `storage/{tenant}/`. Its first part is what the settings say the place of; in a system
            with tenants `{tenant}` stands for the tenant whose row it is.
    """

    path: Identifier
    digest: Identifier
    size: Identifier
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+/(?:(?:[A-Za-z0-9_-]+|\{tenant\})/)*$")]

    def prefix_of(self, tenant: str | None) -> str:
        """What the paths of a tenant begin with, or all paths of a system without tenants."""
        return self.prefix.format(tenant=tenant)


class TableContract(BaseModel, extra="forbid", frozen=True, populate_by_name=True):
    """One source table.

    Attributes:
        description: What a row is.
        schema_name: Schema in the source; the system's default if None.
        source_name: Name in the source, where it is another one than in Runmart.
        key: Columns that identify a row; empty for a table without a key.
        without_key: What to do with a table that has no key: `reject` the contract, or `replace` the rows that are no longer there by
            those that are new, equal rows counted.
        columns: Columns that may be read; no other column ever is.
        foreign_keys: Those of one column: `column: table.column` within the same system.
        composite_foreign_keys: Those of several columns.
        indexes: Further indexes of the raw table.
        upkeep: What becomes of old rows in the source, if Runmart builds it.
        storage: What rows say of files in the storage, if they name any.
    """

    description: Annotated[str, StringConstraints(min_length=1)]
    schema_name: Annotated[Identifier | None, Field(alias="schema")] = None
    source_name: Identifier | None = None
    key: tuple[Identifier, ...]
    without_key: Literal["reject", "replace"] = "reject"
    columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    foreign_keys: dict[Identifier, ForeignKeyTarget] = {}
    composite_foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[IndexContract, ...] = ()
    upkeep: Upkeep | None = None
    storage: StoredFiles | None = None

    @property
    def references(self) -> tuple[ForeignKey, ...]:
        """All foreign keys, however the contract writes them: those of one column first."""
        split = ((column, *target.split(".")) for column, target in self.foreign_keys.items())
        single = (ForeignKey(columns=(column,), parent=parent, parent_columns=(referred,)) for column, parent, referred in split)
        return (*single, *self.composite_foreign_keys)

    @property
    def referring_columns(self) -> tuple[str, ...]:
        """Every column of a foreign key, once."""
        return tuple(dict.fromkeys(column for reference in self.references for column in reference.columns))


@dataclass(frozen=True)
class BoundTable:
    """A declared table of a system, with its names in the source and in the warehouse.

    Attributes:
        system: The system.
        name: Name in Runmart.
        source_schema: Schema of the source that holds it.
        declared: What its contract says of it.
    """

    system: str
    name: str
    source_schema: str
    declared: TableContract

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row; empty for a table without a key."""
        return self.declared.key

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that may be read."""
        return self.declared.columns

    @property
    def source(self) -> sql.Identifier:
        """The table in its source."""
        return sql.Identifier(self.source_schema, self.declared.source_name or self.name)

    @property
    def raw_schema(self) -> str:
        """Schema of the warehouse that holds the raw table."""
        return raw_schema(self.system)

    @property
    def raw(self) -> sql.Identifier:
        """The raw table."""
        return sql.Identifier(self.raw_schema, self.name)

    @property
    def raw_name(self) -> str:
        """The raw table as a person writes it."""
        return f"{self.raw_schema}.{self.name}"

    @property
    def loading_schema(self) -> str:
        """Schema of the warehouse that holds the raw table until its first sync is whole."""
        return loading_schema(self.system)

    @property
    def loading(self) -> sql.Identifier:
        """The raw table while it is being made."""
        return sql.Identifier(self.loading_schema, self.name)


def raw_schema(system: str) -> str:
    """Schema of the warehouse that holds the raw tables of a system."""
    return f"raw_{system}"


def loading_schema(system: str) -> str:
    """Schema of the warehouse that holds raw tables of a system until their first sync is whole."""
    return f"loading_{system}"
