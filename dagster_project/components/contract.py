"""The typed source contract: what of a source database may be read, and how.

Belongs here: the shape of `defs/sources/<system>/defs.yaml` and its validation. Does not belong here: assets (`source_system`) and the
copying of rows (`ingestion/`); nothing here imports Dagster, so the command line loads a contract in milliseconds.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from dagster_project.errors import RunmartError
from dagster_project.settings import SOURCES_ROOT

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=63)]
SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
ForeignKeyTarget = Annotated[str, StringConstraints(pattern=r"^[^.]+\.[^.]+$")]
_Location = tuple[str | int, ...]


class ContractError(RunmartError):
    """A contract is invalid; the message starts with the file and the line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Freshness(_Strict):
    """How old the last sync of a table may be, in hours."""

    warn_after_hours: Annotated[float, Field(gt=0)]
    error_after_hours: Annotated[float, Field(gt=0)]


class Limits(_Strict):
    """What a sync may ask of the source.

    Attributes:
        connections: Connections at once; one reads, a second one (needed for change data capture) asks how far the source is.
        lock_timeout_seconds: How long to wait for a table that a change of schema has locked; the source's writers queue behind us.
        statement_timeout_minutes: How long a single read may take.
        idle_timeout_minutes: How long the source waits for us within a sync before it ends our transaction.
        snapshot_minutes: How long one snapshot may be held open, which keeps the source from cleaning up.
        read_megabytes_per_second: How fast rows may be read; None for as fast as it goes.
        slot_gigabytes: How much write-ahead log the replication slot may hold back before it is dropped.
    """

    connections: Annotated[int, Field(ge=1, le=8)] = 2
    lock_timeout_seconds: Annotated[float, Field(gt=0)] = 10
    statement_timeout_minutes: Annotated[float, Field(gt=0)] = 60
    idle_timeout_minutes: Annotated[float, Field(gt=0)] = 10
    snapshot_minutes: Annotated[float, Field(gt=0)] = 120
    read_megabytes_per_second: Annotated[float, Field(gt=0)] | None = None
    slot_gigabytes: Annotated[float, Field(gt=0)] = 5


class IndexContract(_Strict):
    """An index of a raw table beside those of its key and its foreign keys, for what marts find rows by.

    Attributes:
        columns: Its columns, in their order.
        where: Condition in SQL on the columns of the raw table; rows for which it does not hold are left out. None for all rows.
    """

    columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    where: Annotated[str, StringConstraints(min_length=1)] | None = None


class ForeignKey(_Strict):
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


class TableContract(_Strict):
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
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    description: Annotated[str, StringConstraints(min_length=1)]
    schema_name: Annotated[Identifier | None, Field(alias="schema")] = None
    source_name: Identifier | None = None
    key: tuple[Identifier, ...]
    without_key: Literal["reject", "replace"] = "reject"
    columns: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    foreign_keys: dict[Identifier, ForeignKeyTarget] = {}
    composite_foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[IndexContract, ...] = ()

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


class SystemContract(_Strict):
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

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

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
        return f"raw_{self.system}"

    @property
    def loading_schema(self) -> str:
        """Schema of the warehouse that holds raw tables until their first sync is whole."""
        return f"loading_{self.system}"

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

    def source_schema(self, table: str) -> str:
        """Schema of the source that holds a table."""
        return self.tables[table].schema_name or self.schema_name

    def source_name(self, table: str) -> str:
        """Name of a table in its source."""
        return self.tables[table].source_name or table


def load_contract(path: Path) -> SystemContract:
    """Read and validate one `defs.yaml`.

    Raises:
        ContractError: The file is missing, is not YAML, or breaks a rule; names the file, the line and the way out.
    """
    root, document = _parse(path)
    repeated = [f"{path}:{line}: {key!r} is declared twice; keep one of them" for line, key in _repeated_keys(root, set())]
    if repeated:
        raise ContractError("\n".join(repeated))
    if not isinstance(document, dict) or not isinstance(document.get("attributes"), dict):
        raise ContractError(f"{path}:1: a contract needs the two entries 'type' and 'attributes'")
    problems = _problems(document["attributes"], path.parent.name)
    if problems:
        lines = [f"{path}:{_line(root, ('attributes', *where))}: {'.'.join(map(str, where))}: {what}" for where, what in problems]
        raise ContractError("\n".join(lines))
    return SystemContract.model_validate(document["attributes"])


def load_contracts(root: Path = SOURCES_ROOT) -> dict[str, SystemContract]:
    """Every system's contract by name, from `<root>/<system>/defs.yaml`."""
    return {path.parent.name: load_contract(path) for path in sorted(root.glob("*/defs.yaml"))}


def _parse(path: Path) -> tuple[yaml.Node | None, object]:
    """The file as nodes, which know their lines, and as values."""
    try:
        loader = yaml.CSafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root else None
    except FileNotFoundError as error:
        raise ContractError(f"{path}: there is no contract; every system needs a defs.yaml") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        # Bytes that are no text, or a value that is none of its type, such as a thirteenth month.
        raise ContractError(f"{path}:1: not valid YAML: {' '.join(str(error).split())}") from error


def _repeated_keys(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[int, str]]:
    """Line and name of every key that its mapping already has; a YAML parser would silently keep the last one."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    yield key.start_mark.line + 1, key.value
                names.add(key.value)
            yield from _repeated_keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, seen)


def _problems(attributes: dict[str, Any], folder: str) -> list[tuple[_Location, str]]:
    try:
        contract = SystemContract.model_validate(attributes)
    except ValidationError as error:
        return [(tuple(problem["loc"]), problem["msg"]) for problem in error.errors()]
    tables = (problem for name in contract.tables for problem in _table_problems(contract, name))
    return [*_system_problems(contract, folder), *_relation_problems(contract), *tables]


def _system_problems(contract: SystemContract, folder: str) -> Iterator[tuple[_Location, str]]:
    if contract.system != folder:
        yield ("system",), f"{contract.system!r} must equal the name of its folder, {folder!r}"
    if contract.freshness.error_after_hours < contract.freshness.warn_after_hours:
        yield ("freshness",), "error_after_hours must not be less than warn_after_hours"
    if contract.capture == "cdc" and contract.limits.connections < 2:
        yield ("limits", "connections"), "change data capture needs two connections; allow 2, or say capture: horizon"


def _relation_problems(contract: SystemContract) -> Iterator[tuple[_Location, str]]:
    readers: dict[tuple[str, str], str] = {}
    for name, table in contract.tables.items():
        relation = contract.source_schema(name), contract.source_name(name)
        reader = readers.setdefault(relation, name)
        if reader != name:
            where = ("source_name",) if table.source_name else ()
            yield ("tables", name, *where), f"{'.'.join(relation)} is what {reader!r} reads already; keep one of them"


def _table_problems(contract: SystemContract, name: str) -> Iterator[tuple[_Location, str]]:
    table = contract.tables[name]
    here = ("tables", name)
    for listed, names in (("columns", table.columns), ("key", table.key)):
        for index, column in enumerate(names):
            if column in names[:index]:
                yield (*here, listed, index), f"column {column!r} is listed twice"
    yield from (((*here, *where), what) for where, what in _key_problems(table))
    for index, column in enumerate(table.columns):
        if column in ("_batch_id", "_synced_at", "_deleted_at", "_moved_from"):
            yield (
                (*here, "columns", index),
                f"column {column!r} has the name of one that every raw table gets; it cannot be read under this name",
            )
    for where, reference in _located_references(table):
        yield from (((*here, *where), what) for what in _foreign_key_problems(contract, table, reference))
    for number in range(len(table.composite_foreign_keys)):
        yield from (((*here, "composite_foreign_keys", number), what) for what in _composite_problems(table, number))
    for number in range(len(table.indexes)):
        yield from ((((*here, "indexes", number)), what) for what in _index_problems(table, number))


def _key_problems(table: TableContract) -> Iterator[tuple[_Location, str]]:
    if not table.key and table.without_key == "reject":
        yield ("key",), "the table has no key; name the columns that identify a row, or say without_key: replace"
    if table.key and table.without_key == "replace":
        yield ("without_key",), "the table has a key; without_key: replace is for tables that have none (key: [])"
    for index, column in enumerate(table.key):
        if column not in table.columns:
            yield ("key", index), f"key column {column!r} is not among the table's columns"


def _located_references(table: TableContract) -> Iterator[tuple[_Location, ForeignKey]]:
    """Each foreign key with the place in the table's entry where it is written."""
    places: list[_Location] = [("foreign_keys", column) for column in table.foreign_keys]
    places += [("composite_foreign_keys", number) for number in range(len(table.composite_foreign_keys))]
    return zip(places, table.references, strict=True)


def _foreign_key_problems(contract: SystemContract, table: TableContract, reference: ForeignKey) -> Iterator[str]:
    for column in reference.columns:
        if column not in table.columns:
            yield f"column {column!r} is not among the table's columns"
    if reference.parent not in contract.tables:
        yield f"table {reference.parent!r} is not declared; declared are: {', '.join(contract.tables)}"
        return
    for column in reference.parent_columns:
        if column not in contract.tables[reference.parent].columns:
            yield f"column {column!r} is not among the columns of {reference.parent!r}"


def _composite_problems(table: TableContract, number: int) -> Iterator[str]:
    """What is wrong with the way a foreign key of several columns is written; one of one column has a shorter one."""
    reference = table.composite_foreign_keys[number]
    columns, parent_columns = reference.columns, reference.parent_columns
    if len(columns) == 1:
        yield f"it has one column; say foreign_keys: {{{columns[0]}: {reference.parent}.{parent_columns[0]}}}"
    if len(columns) != len(parent_columns):
        yield f"{len(columns)} columns cannot refer to {len(parent_columns)} parent_columns; name one for each"
    for listed, names in (("columns", columns), ("parent_columns", parent_columns)):
        yield from (f"{column!r} is listed twice in {listed}" for index, column in enumerate(names) if column in names[:index])
    if any(columns == earlier.columns for earlier in table.composite_foreign_keys[:number]):
        yield f"the foreign key of {', '.join(columns)} is declared twice; keep one of them"


def _index_problems(table: TableContract, number: int) -> Iterator[str]:
    index = table.indexes[number]
    if index in table.indexes[:number]:
        yield "the index is declared twice"
    for column in index.columns:
        if column not in table.columns:
            yield f"column {column!r} is not among the table's columns"


def _line(root: yaml.Node | None, where: Sequence[str | int]) -> int:
    """Line of the deepest node on the way that the document has; a missing entry is reported at its parent."""
    node, line = root, 1
    for step in where:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
