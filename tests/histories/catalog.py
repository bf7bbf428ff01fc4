"""The schema of a history, as a contract and its source database have it.

Belongs here: asking the catalog, and which of the proposed values the database accepts. What its check constraints say of one column is
asked once of every proposal, so that what is drawn later keeps it; those of several columns are asked of every row (`Table.allows`). Does
not belong here: proposals (`values`, `singled_out`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from psycopg2 import sql

from dagster_project.contracts.contract import SystemContract
from tests.databases import run
from tests.histories.schema import Column, Row, Schema, Table, in_order
from tests.histories.singled_out import SingledOut, literals_of
from tests.histories.values import documents, is_document, near, odd, shaped, usual

# What a check allows weighs less than what SQL singles out, and whatever else the type holds less than both, all together.
_ALLOWED = 0.2
_BESIDE_NAMED = 0.1

_COLUMNS = """
select
    attribute.attname,
    format_type(
        coalesce(nullif(kind.typbasetype, 0), kind.oid),
        case when kind.typtype = 'd' then kind.typtypmod else attribute.atttypmod end
    ) as type_name,
    format_type(attribute.atttypid, attribute.atttypmod) as own_type,
    not (attribute.attnotnull or kind.typnotnull) as is_nullable,
    attribute.atthasdef or attribute.attidentity <> '' as has_default,
    array(select enumlabel::text from pg_enum where enumtypid = kind.oid order by enumsortorder) as labels
from pg_attribute as attribute
inner join pg_type as kind on attribute.atttypid = kind.oid
where attribute.attrelid = %s::regclass and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
order by attribute.attnum
"""

_CHECKS = """
select
    pg_get_expr(rule.conbin, rule.conrelid),
    array(select attname::text from pg_attribute where attrelid = rule.conrelid and attnum = any(rule.conkey) order by attnum)
from pg_constraint as rule
where rule.conrelid = %s::regclass and rule.contype = 'c'
order by rule.conname
"""

# The columns of an index, and those of its expressions.
_UNIQUE = """
select array(
    select attname::text
    from pg_attribute
    where attrelid = index.indrelid and (
        attnum = any(index.indkey)
        or index.indexprs is not null and attnum in (
            select refobjsubid from pg_depend where objid = index.indexrelid and refobjid = index.indrelid and refobjsubid > 0
        )
    )
    order by attnum
)
from pg_index as index
where index.indrelid = %s::regclass and index.indisunique
order by index.indexrelid
"""


class UnknownValuesError(Exception):
    """No value is known that a column may hold."""


@dataclass(frozen=True)
class _Described:
    """A column as the catalog has it: of what its type is made, its own type, and the labels of an enum."""

    type_name: str
    own_type: str
    is_nullable: bool
    has_default: bool
    labels: tuple[str, ...]


def read_schema(
    url: str,
    contract: SystemContract,
    wanted: Collection[str],
    said: SingledOut,
    unique: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
) -> Schema:
    """The schema of the wanted tables, and of the parents that their rows cannot do without.

    A reference to any other table is left empty. Columns are those of the contract, and those that the database demands besides.

    Args:
        url: libpq URL of the source, migrated.
        contract: The contract of its system.
        wanted: The tables that matter.
        said: What SQL says of their columns.
        unique: By table, sets of columns of which no two rows have the same values, though no index says so.

    Raises:
        UnknownValuesError: A column needs a value, and none is known; names the column, its type and its checks.
    """
    tables: dict[str, Table] = {}
    waiting = set(wanted)
    while waiting:
        tables.update({name: _table(url, contract, name, said, (unique or {}).get(name, ())) for name in sorted(waiting)})
        parents = {reference.parent for table in tables.values() for reference in table.references if not table.is_optional(reference)}
        waiting = parents - tables.keys()
    return in_order({name: _among(tables[name], tables) for name in contract.tables if name in tables})


def _among(table: Table, tables: Mapping[str, Table]) -> Table:
    """A table without its references to tables that are not there; their columns are null, where no other reference fills them."""
    kept = tuple(reference for reference in table.references if reference.parent in tables)
    left = table.referring - {column for reference in kept for column in reference.columns}
    columns = {name: replace(column, values={}, odd=()) if name in left else column for name, column in table.columns.items()}
    return replace(table, references=kept, columns=columns)


def _table(url: str, contract: SystemContract, name: str, said: SingledOut, said_unique: Sequence[tuple[str, ...]]) -> Table:
    declared = contract.tables[name]
    relation = _as_text(contract.table(name).source)
    described = {
        column: _Described(type_name, own_type, is_nullable, has_default, tuple(labels))
        for column, type_name, own_type, is_nullable, has_default, labels in run(url, _COLUMNS, relation)
    }
    checks: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for condition, columns in run(url, _CHECKS, relation):
        checks[tuple(columns)].append(condition)
    demanded = [column for column, known in described.items() if not (known.is_nullable or known.has_default)]
    columns = {
        column: _column(url, column, known, checks[column,], said)
        for column, known in described.items()
        if column in declared.columns or column in demanded
    }
    shared = {names: rules for names, rules in checks.items() if len(names) > 1 and columns.keys() >= {*names}}
    unique = (*(tuple(names) for (names,) in run(url, _UNIQUE, relation) if columns.keys() >= {*names}), *said_unique)
    table = Table(declared.key, columns, declared.references, unique, _asking(url, described, shared))
    empty = {
        column
        for column, known in columns.items()
        if not (known.values or known.is_nullable or column in table.referring or column in table.telling)
    }
    for column in empty & {*demanded}:
        raise UnknownValuesError(
            f"no value is known for {name}.{column}, which is {described[column].own_type} and must keep {checks[column,] or 'no check'};"
            " teach tests/histories/values.py one"
        )
    # The others have a default.
    return replace(table, columns={column: known for column, known in columns.items() if column not in empty})


def _column(url: str, name: str, described: _Described, checks: list[str], said: SingledOut) -> Column:
    named = dict.fromkeys((*described.labels, *(literal for check in checks for literal in literals_of(check))), _ALLOWED)
    for literal, weight in said.literals.get(name, {}).items():
        named[literal] = max(weight, named.get(literal, 0.0))
    weights = {value: weight for literal, weight in named.items() for value in near(literal)}
    general = documents(said.keys.get(name, {})) if is_document(described.type_name) else usual(described.type_name)
    possible = {*_accepted(url, name, described.own_type, checks, {*weights, *general})}
    if not possible:
        general = shaped(described.type_name)
        possible = {*_accepted(url, name, described.own_type, checks, general)}
    values = {value: weight for value, weight in weights.items() if value in possible}
    others = [value for value in general if value in possible and value not in values]
    share = _BESIDE_NAMED * sum(values.values()) / len(others) if values and others else 1.0
    return Column(
        type_name=described.type_name,
        is_nullable=described.is_nullable,
        values=values | dict.fromkeys(others, share),
        odd=tuple(_accepted(url, name, described.own_type, checks, odd(described.type_name))),
        is_read=name in said.read,
        is_meeting=name in said.meeting,
        is_singled_out=not possible.isdisjoint(said.literals.get(name, {})),
    )


def _accepted(url: str, column: str, own_type: str, checks: list[str], values: Iterable[str]) -> list[str]:
    """The values that a column may hold: those that its type reads, and its checks do not refuse."""
    quoted = _as_text(sql.Identifier(column))
    # The subquery is kept apart, or a check might be asked of what is no value of the type.
    rows = run(
        url,
        f"select value from (select value, value::{own_type} as {quoted} from ("
        f"select value from unnest(%s::text[]) as v (value) where pg_input_is_valid(value, %s) offset 0) as valid offset 0) as asked"
        + "".join(f" {'where' if number == 0 else 'and'} ({check}) is not false" for number, check in enumerate(checks)),
        list(values),
        own_type,
    )
    return [value for (value,) in rows]


def _asking(url: str, described: Mapping[str, _Described], rules: Mapping[tuple[str, ...], list[str]]) -> Callable[[Row], bool]:
    """A function that asks the database whether a row keeps rules of several columns, of the same values once."""

    @cache
    def allowed(columns: tuple[str, ...], values: tuple[str | None, ...]) -> bool:
        given = ", ".join(f"%s::{described[column].own_type} as {_as_text(sql.Identifier(column))}" for column in columns)
        kept = " and ".join(f"({rule}) is not false" for rule in rules[columns])
        return run(url, f"select {kept} from (select {given}) as row", *values) == [(True,)]

    return lambda row: all(allowed(columns, tuple(row[column] for column in columns)) for columns in rules)


def _as_text(name: sql.Identifier) -> str:
    """A name as SQL writes it."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in name.strings)
