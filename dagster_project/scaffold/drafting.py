"""From a catalog to a draft: which tables and columns a contract may declare, and why the others are left out.

Belongs here: every decision of a draft. Does not belong here: reading the catalog (`catalog`) and how a draft is written down
(`contract_file`, `staging_files`, `suite_files`).
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from dagster_project.contracts import raw_columns
from dagster_project.contracts.contract import Freshness, SystemContract, SystemName
from dagster_project.contracts.table import ForeignKey, TableContract
from dagster_project.errors import RunmartError
from dagster_project.ingestion.source import SHOWING_ALL
from dagster_project.scaffold.catalog import Catalog, Column, Reference, Relation
from dagster_project.scaffold.names import is_plain, parent_check, plain_name, table_names
from dagster_project.scaffold.secrets import Named, Verdict, judge
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
class Remark:
    """What a person should know about something of the database.

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
        unproven: Foreign keys, as (table, referring columns), that the database does not hold all rows to.
        left_out: What may not be read, or is not checked.
        doubtful: What is read, but should be looked at by a person.
    """

    contract: SystemContract
    comments: Mapping[tuple[str, str], str]
    unproven: frozenset[tuple[str, tuple[str, ...]]]
    left_out: tuple[Remark, ...]
    doubtful: tuple[Remark, ...]


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
    left_out: list[Remark] = []
    doubtful: list[Remark] = []
    tables: dict[str, Relation] = {}
    # All that could be read has a name, so that a table is called the same whichever others are taken.
    names = table_names(_place(relation) for relation in catalog.relations if not _obstacle(relation))
    for relation in catalog.relations:
        if include and not _is_named(relation, include):
            continue
        reason = "--exclude" if _is_named(relation, exclude) else _obstacle(relation) or _length_obstacle(system, names[_place(relation)])
        if reason:
            left_out.append(Remark(_shown(relation, schemas[0]), reason))
        else:
            tables[names[_place(relation)]] = relation
    if not tables:
        reasons = "".join(f"\n  {each.name}: {each.reason}" for each in left_out)
        raise ScaffoldError(f"there is no table to read in schema {', '.join(schemas)}{reasons or '; --schema names others'}")
    contracts = {name: _table(name, relation, schemas[0]) for name, relation in tables.items()}
    unproven: set[tuple[str, tuple[str, ...]]] = set()
    for name, relation in tables.items():
        left_out += _parts_left_out(name, relation, contracts[name])
        doubtful += _parts_in_doubt(name, relation, contracts[name])
        checked, unchecked = _references(name, relation, names, contracts)
        left_out += unchecked
        contracts[name] = contracts[name].model_copy(update=_foreign_keys(checked, names))
        unproven |= {(name, reference.columns) for reference in checked if not reference.is_validated}
    contract = SystemContract(
        system=system,
        description=_one_line(catalog.comment) or f"Tables of the database {_one_line(catalog.database)}.",
        schema_name=schemas[0],
        freshness=_FRESHNESS,
        tables=contracts,
    )
    comments = {(name, column.name): _one_line(column.comment) for name, relation in tables.items() for column in relation.columns}
    told = {column: comment for column, comment in comments.items() if comment}
    return Draft(contract, told, frozenset(unproven), tuple(left_out), tuple(doubtful))


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
        (relation.hides_rows, f"row level security may hide rows of it from this role: {SHOWING_ALL}"),
        (relation.has_heirs, "tables inherit from it, and their rows would be read twice"),
        (_is_odd(relation.name), _ODD_NAME),
        (not plain_name(relation.name), "no name of letters a to z can be made of it; declare the table by hand, with a source_name"),
        (len(_column_obstacles(relation)) == len(relation.columns), "none of its columns may be read"),
        (_has_unreadable_key(relation), "its key is left out: " + ", ".join(_key_obstacles(relation))),
    )
    return next((reason for applies, reason in rules if applies), None)


def _length_obstacle(system: str, name: str) -> str | None:
    """Why a relation cannot be read under its name, or None."""
    staged = f"stg_{system}__{name}"
    if len(staged) <= _LONGEST_RELATION:
        return None
    return f"{staged} would be longer than {_LONGEST_RELATION} characters; declare the table by hand under another name, with a source_name"


def _column_obstacles(relation: Relation) -> dict[str, str]:
    """Columns that are not read, with the reason."""
    verdicts = _verdicts(relation)
    reasons = {column.name: _column_obstacle(column, verdicts[column.name]) for column in relation.columns}
    return {name: reason for name, reason in reasons.items() if reason}


def _column_obstacle(column: Column, verdict: Verdict) -> str | None:
    if column.name in raw_columns.TYPES:
        return "every raw table has a column of this name already"
    if verdict.is_left_out:
        return verdict.reason
    return _ODD_NAME if _is_odd(column.name) else None


@cache
def _verdicts(relation: Relation) -> Mapping[str, Verdict]:
    """What of a relation is secret."""
    keys = {name for names in (*relation.uniques, *(reference.columns for reference in relation.references)) for name in names}
    return judge(relation.name, [Named(column.name, column.type_name, column.name in keys) for column in relation.columns])


def _is_odd(name: str) -> bool:
    return not re.fullmatch(r"[\w $-]+", name) or not re.search(r"\w", name)


def _keys(relation: Relation) -> list[tuple[str, ...]]:
    """Column lists that identify every row, the best first."""
    required = {column.name for column in relation.columns if column.is_required}
    return [unique for unique in relation.uniques if required.issuperset(unique)]


def _readable_keys(relation: Relation) -> list[tuple[str, ...]]:
    unreadable = _column_obstacles(relation).keys()
    return [key for key in _keys(relation) if unreadable.isdisjoint(key)]


def _has_unreadable_key(relation: Relation) -> bool:
    # Without it, rows that differ could look the same.
    return bool(_keys(relation)) and not _readable_keys(relation)


def _key_obstacles(relation: Relation) -> Iterator[str]:
    key = next(iter(_keys(relation)), ())
    for column, reason in _column_obstacles(relation).items():
        if column in key:
            yield f"{column}, {reason}"


def _table(name: str, relation: Relation, default_schema: str) -> TableContract:
    key = next(iter(_readable_keys(relation)), ())
    unreadable = _column_obstacles(relation)
    return TableContract(
        description=_one_line(relation.comment) or f"Rows of {relation.name}.",
        schema_name=None if relation.schema == default_schema else relation.schema,
        source_name=None if relation.name == name else relation.name,
        key=key,
        without_key="reject" if key else "replace",
        columns=tuple(column.name for column in relation.columns if column.name not in unreadable),
    )


def _parts_left_out(name: str, relation: Relation, table: TableContract) -> Iterator[Remark]:
    verdicts = _verdicts(relation)
    for column, reason in _column_obstacles(relation).items():
        way_out = f"; to read it, add {column} to tables.{name}.columns" if verdicts[column].is_doubtful else ""
        yield Remark(f"{name}.{column}", f"{reason}{way_out}")
    if not table.key:
        yield Remark(f"{name}: key", "neither a primary key nor a unique one without nulls; the table is read whole each time")


def _parts_in_doubt(name: str, relation: Relation, table: TableContract) -> Iterator[Remark]:
    verdicts = _verdicts(relation)
    for column in table.columns:
        if verdicts[column].is_doubtful:
            yield Remark(f"{name}.{column}", f"{verdicts[column].reason}; to leave it out, remove {column} from tables.{name}.columns")


def _references(
    name: str, relation: Relation, names: Mapping[tuple[str, str], str], contracts: Mapping[str, TableContract]
) -> tuple[list[Reference], list[Remark]]:
    """The foreign keys of a table that can be checked in the warehouse, and those that cannot."""
    checked: list[Reference] = []
    left_out: list[Remark] = []
    for reference in relation.references:
        parent = contracts.get(names.get(_parent(reference), ""))
        parent_columns = parent.columns if parent else ()
        taken = [parent_check(each.columns) for each in checked]
        reason = _reference_obstacle(reference, contracts[name].columns, parent_columns, taken)
        if reason is None:
            checked.append(reference)
        else:
            left_out.append(Remark(f"{name}.{', '.join(reference.columns)}: foreign key", reason))
    return checked, left_out


def _reference_obstacle(
    reference: Reference, columns: Collection[str], parent_columns: Collection[str], taken: Collection[str]
) -> str | None:
    """Why a foreign key cannot be checked in the warehouse, or None; `taken` are the checks that there are already."""
    unread = [column for column in reference.columns if column not in columns]
    unread_parents = [column for column in reference.parent_columns if column not in parent_columns]
    check = parent_check(reference.columns)
    if unread:
        return f"{', '.join(unread)} is left out"
    if unread_parents:
        return f"{reference.parent_schema}.{reference.parent}.{', '.join(unread_parents)}, which it refers to, is not read"
    if check in taken:
        return f"another check is called {check}"
    if not is_plain(check):
        return "the name of its check would not be one of lower-case letters, digits and underscores"
    return None


def _foreign_keys(checked: Sequence[Reference], names: Mapping[tuple[str, str], str]) -> dict[str, object]:
    """The entries of a table's contract that say its foreign keys."""
    return {
        "foreign_keys": {
            reference.columns[0]: f"{names[_parent(reference)]}.{reference.parent_columns[0]}"
            for reference in checked
            if len(reference.columns) == 1
        },
        "composite_foreign_keys": tuple(
            ForeignKey(columns=reference.columns, parent=names[_parent(reference)], parent_columns=reference.parent_columns)
            for reference in checked
            if len(reference.columns) > 1
        ),
    }


def _one_line(text: str | None) -> str:
    """A comment on one line; dbt and Dagster take double braces and the like for templates of their own."""
    return re.sub(r"\{(?=[{%#])", "{ ", " ".join((text or "").split()))
