"""From a catalog to a draft: which tables and columns a contract may declare, and why the others are left out.

Belongs here: every decision of a draft. Does not belong here: reading the catalog (`catalog`) and how a draft is written down
(`contract_file`, `staging_files`, `suite_files`).
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from dagster_project.components.contract import Freshness, SystemContract, SystemName, TableContract
from dagster_project.components.secrets import is_secret_name
from dagster_project.errors import RunmartError
from dagster_project.ingestion.raw_tables import BATCH_COLUMNS
from dagster_project.scaffold.catalog import Catalog, Column, Reference, Relation
from dagster_project.scaffold.names import is_plain, plain_name, snake_case, table_names
from dagster_project.suggestions import no_such

_FRESHNESS = Freshness(warn_after_hours=2, error_after_hours=24)
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_LONGEST_RELATION = 63
_ODD_NAME = "the name has a character that is no letter, digit, underscore, dash, dollar sign or space"

# Names that something else in the warehouse, in dbt, in Dagster or on the command line goes by.
_RESERVED_SYSTEMS = {
    "analyst",
    "analytics",
    "analytics_next",
    "and_refresh",
    "dagster",
    "ops",
    "postgres",
    "quality",
    "staging",
    "warehouse",
}


class ScaffoldError(RunmartError):
    """Nothing was written; the message says why and the way out."""


@dataclass(frozen=True)
class LeftOut:
    """Something of the database that the contract does not declare.

    Attributes:
        name: A table as the source calls it, as far as it needs saying: `table` or `schema.table`; a part of a declared table as the
            contract calls it: `table.column`.
        reason: Why.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Draft:
    """A contract, with what only the database knows about its tables.

    Attributes:
        contract: What may be read.
        comments: What the owner of the database says of columns, by (table, column).
        unproven: Foreign keys, as (table, column), that the database does not hold all rows to.
        left_out: What may not be read, or is not checked.
    """

    contract: SystemContract
    comments: Mapping[tuple[str, str], str]
    unproven: frozenset[tuple[str, str]]
    left_out: tuple[LeftOut, ...]


def check_system_name(system: str) -> None:
    """Refuse a name that cannot be the one name of a system.

    Raises:
        ScaffoldError: Says what a name looks like, or that it is taken.
    """
    try:
        TypeAdapter(SystemName).validate_python(system)
    except ValidationError as error:
        raise ScaffoldError(
            f"{system!r} cannot be the name of a system: it must begin with a lower-case letter, go on with lower-case letters, digits and "
            "underscores, and have at most 50 characters"
        ) from error
    if system in _RESERVED_SYSTEMS:
        raise ScaffoldError(f"{system!r} cannot be the name of a system: Runmart uses it itself; choose another")


def draft(system: str, catalog: Catalog, schemas: Sequence[str], include: Collection[str] = (), exclude: Collection[str] = ()) -> Draft:
    """Draft the contract of a system.

    Args:
        system: The one name of the system.
        catalog: What there is in `schemas`.
        schemas: Schemas to read; the first is the system's default.
        include: Tables to take, as `table` or `schema.table`; all if empty.
        exclude: Tables to leave out, likewise.

    Raises:
        ScaffoldError: A table that is named is not there, or nothing is left to read.
    """
    check_system_name(system)
    _refuse_unknown([*include, *exclude], catalog.relations)
    left_out: list[LeftOut] = []
    tables: dict[str, Relation] = {}
    # All that could be read has a name, so that a table is called the same whichever others are taken.
    names = table_names(_place(relation) for relation in catalog.relations if not _obstacle(relation))
    for relation in catalog.relations:
        if include and not _is_named(relation, include):
            continue
        reason = "--exclude" if _is_named(relation, exclude) else _obstacle(relation) or _length_obstacle(system, names[_place(relation)])
        if reason:
            left_out.append(LeftOut(_shown(relation, schemas[0]), reason))
        else:
            tables[names[_place(relation)]] = relation
    if not tables:
        reasons = "".join(f"\n  {each.name}: {each.reason}" for each in left_out)
        raise ScaffoldError(f"there is no table to read in schema {', '.join(schemas)}{reasons or '; --schema names others'}")
    contracts = {name: _table(name, relation, schemas[0]) for name, relation in tables.items()}
    unproven: set[tuple[str, str]] = set()
    for name, relation in tables.items():
        left_out += _parts_left_out(name, relation, contracts[name])
        checked, unchecked = _references(name, relation, names, contracts)
        left_out += unchecked
        foreign_keys = {reference.columns[0]: f"{names[_parent(reference)]}.{reference.parent_columns[0]}" for reference in checked}
        contracts[name] = contracts[name].model_copy(update={"foreign_keys": foreign_keys})
        unproven |= {(name, reference.columns[0]) for reference in checked if not reference.is_validated}
    contract = SystemContract(
        system=system,
        description=_one_line(catalog.comment) or f"Tables of the database {_one_line(catalog.database)}.",
        schema_name=schemas[0],
        freshness=_FRESHNESS,
        tables=contracts,
    )
    comments = {(name, column.name): _one_line(column.comment) for name, relation in tables.items() for column in relation.columns}
    return Draft(contract, {column: comment for column, comment in comments.items() if comment}, frozenset(unproven), tuple(left_out))


def _refuse_unknown(named: Sequence[str], relations: Sequence[Relation]) -> None:
    for name in named:
        if not any(_is_named(relation, [name]) for relation in relations):
            raise ScaffoldError(no_such("table", name, [relation.name for relation in relations]))


def _is_named(relation: Relation, names: Collection[str]) -> bool:
    return relation.name in names or f"{relation.schema}.{relation.name}" in names


def _place(relation: Relation) -> tuple[str, str]:
    return relation.schema, relation.name


def _parent(reference: Reference) -> tuple[str, str]:
    return reference.parent_schema, reference.parent


def _shown(relation: Relation, default_schema: str) -> str:
    return relation.name if relation.schema == default_schema else f"{relation.schema}.{relation.name}"


def _obstacle(relation: Relation) -> str | None:
    """Why a relation cannot be read under any name, or None."""
    rules = (
        (relation.kind in _KINDS, f"{_KINDS.get(relation.kind)}, not a table"),
        (relation.extension is not None, f"it belongs to the extension {relation.extension}"),
        (not relation.is_readable, "this role may not read it: grant it SELECT on the table and USAGE on its schema"),
        (relation.has_heirs, "tables inherit from it, and their rows would be read twice"),
        (_is_odd(relation.name), _ODD_NAME),
        (not plain_name(relation.name), "no name of letters a to z can be made of it; declare the table by hand, with a source_name"),
        (all(_column_obstacle(column) for column in relation.columns), "none of its columns may be read"),
        (_has_unreadable_key(relation), "its key is left out: " + ", ".join(_key_obstacles(relation))),
    )
    return next((reason for applies, reason in rules if applies), None)


def _length_obstacle(system: str, name: str) -> str | None:
    """Why a relation cannot be read under its name, or None."""
    staged = f"stg_{system}__{name}"
    if len(staged) <= _LONGEST_RELATION:
        return None
    return f"{staged} would be longer than {_LONGEST_RELATION} characters; declare the table by hand under another name, with a source_name"


def _column_obstacle(column: Column) -> str | None:
    """Why a column cannot be read, or None."""
    if column.name in BATCH_COLUMNS:
        return "every raw table has a column of this name already"
    if is_secret_name(snake_case(column.name)):
        return "the name of a secret or of personal data"
    return _ODD_NAME if _is_odd(column.name) else None


def _is_odd(name: str) -> bool:
    return not re.fullmatch(r"[\w $-]+", name) or not re.search(r"\w", name)


def _keys(relation: Relation) -> list[tuple[str, ...]]:
    """Column lists that identify every row, the best first."""
    required = {column.name for column in relation.columns if column.is_required}
    return [unique for unique in relation.uniques if required.issuperset(unique)]


def _readable_keys(relation: Relation) -> list[tuple[str, ...]]:
    readable = {column.name for column in relation.columns if not _column_obstacle(column)}
    return [key for key in _keys(relation) if readable.issuperset(key)]


def _has_unreadable_key(relation: Relation) -> bool:
    # Without it, rows that differ could look the same.
    return bool(_keys(relation)) and not _readable_keys(relation)


def _key_obstacles(relation: Relation) -> Iterator[str]:
    key = next(iter(_keys(relation)), ())
    for column in relation.columns:
        if column.name in key and (reason := _column_obstacle(column)):
            yield f"{column.name}, {reason}"


def _table(name: str, relation: Relation, default_schema: str) -> TableContract:
    key = next(iter(_readable_keys(relation)), ())
    return TableContract(
        description=_one_line(relation.comment) or f"Rows of {relation.name}.",
        schema_name=None if relation.schema == default_schema else relation.schema,
        source_name=None if relation.name == name else relation.name,
        key=key,
        without_key="reject" if key else "replace",
        columns=tuple(column.name for column in relation.columns if not _column_obstacle(column)),
    )


def _parts_left_out(name: str, relation: Relation, table: TableContract) -> Iterator[LeftOut]:
    for column in relation.columns:
        if reason := _column_obstacle(column):
            yield LeftOut(f"{name}.{column.name}", reason)
    if not table.key:
        yield LeftOut(f"{name}: key", "neither a primary key nor a unique one without nulls; the table is read whole each time")


def _references(
    name: str, relation: Relation, names: Mapping[tuple[str, str], str], contracts: Mapping[str, TableContract]
) -> tuple[list[Reference], list[LeftOut]]:
    """The foreign keys of a table that can be checked in the warehouse, and those that cannot."""
    checked: list[Reference] = []
    left_out: list[LeftOut] = []
    for reference in relation.references:
        parent = contracts.get(names.get(_parent(reference), ""))
        parent_columns = parent.columns if parent else ()
        reason = _reference_obstacle(reference, contracts[name].columns, parent_columns, [each.columns[0] for each in checked])
        if reason is None:
            checked.append(reference)
        else:
            left_out.append(LeftOut(f"{name}.{', '.join(reference.columns)}: foreign key", reason))
    return checked, left_out


def _reference_obstacle(
    reference: Reference, columns: Collection[str], parent_columns: Collection[str], checked: Collection[str]
) -> str | None:
    """Why a foreign key cannot be checked in the warehouse, or None."""
    column, target = reference.columns[0], f"{reference.parent_schema}.{reference.parent}"
    if len(reference.columns) > 1:
        return f"it refers to {target} by several columns, which a contract cannot say"
    if column not in columns:
        return "the column is left out"
    if reference.parent_columns[0] not in parent_columns:
        return f"{target}.{reference.parent_columns[0]}, which it refers to, is not read"
    if snake_case(column) in {snake_case(other) for other in checked}:
        return f"another one of {snake_case(column)} is checked"
    if not is_plain(snake_case(column)):
        return "the name of its check would not be one of lower-case letters, digits and underscores"
    return None


def _one_line(text: str | None) -> str:
    """A comment on one line; dbt and Dagster take double braces and the like for templates of their own."""
    return re.sub(r"\{(?=[{%#])", "{ ", " ".join((text or "").split()))
