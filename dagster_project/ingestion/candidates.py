"""Candidates: source rows that may differ from raw.

Belongs here: how a set of candidates is said. Does not belong here: which set is right when (`capture`), and reading it (`sync`). A set
must never miss a row that differs; naming rows that turn out to be equal only costs time.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from psycopg2 import sql

from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion.catalog import SourceTable
from dagster_project.ingestion.source import Position

_KEYS_PER_READ = 100_000

# As many are compared with each row in no more time than its age takes.
_NAMED_TRANSACTIONS = 16


@dataclass(frozen=True)
class Candidates:
    """Source rows that may differ from raw, and which raw rows they must account for.

    Attributes:
        found_by: How they were found, in words.
        reads: Conditions on the source table (alias `source`) that select them together, none twice.
        scope: Condition on the raw table (alias `raw`): a live row under it that is not among the candidates was deleted at the source.
            None if they say nothing of deleted rows.
        keys: Where the candidates are the rows of certain keys, these: the raw row of a key without candidate was deleted at the source.
        is_everything: They are all rows of the source.
    """

    found_by: str
    reads: tuple[sql.Composable, ...]
    scope: sql.Composable | None = None
    keys: Collection[tuple[str, ...]] = ()
    is_everything: bool = False

    @property
    def lacks_deleted(self) -> bool:
        """Whether rows may have been deleted that they say nothing of."""
        return bool(self.reads) and self.scope is None and not self.keys


EVERYTHING = Candidates("full read", (sql.SQL("true"),), sql.SQL("true"), is_everything=True)
NOTHING = Candidates("unchanged", ())

# Whoever reads these finds them by comparing digests of the whole table first.
COMPARISON = Candidates("comparison", ())


def written_since(table: SourceTable, before: Position, now: Position, leaves_before: Mapping[str, str]) -> Candidates:
    """Rows that a transaction wrote which was not complete at an earlier snapshot, and all rows of parts that are new; no deletes."""
    condition = _of_transactions(before.xmin, now.next_transaction)
    new = table.new_leaves(leaves_before)
    if new:
        condition = sql.SQL("({} or source.tableoid = any({}::oid[]))").format(condition, sql.Literal(new))
    return Candidates("horizon", (condition,))


def _of_transactions(first: int, end: int) -> sql.Composable:
    """Rows of transactions from one on, before another one.

    A row's age in transactions wraps around: the lower bound keeps rows of more than two billion transactions ago from looking new. For
    the age one process reads the table; where few transactions are named, PostgreSQL reads it with several.
    """
    if 0 <= end - first <= _NAMED_TRANSACTIONS:
        numbers = [str(number % 2**32) for number in range(first, end)]
        return sql.SQL("source.xmin = any({}::xid[])").format(sql.Literal(numbers))
    return sql.SQL("age(source.xmin) between 0 and age({}::xid)").format(sql.Literal(str(first % 2**32)))


def with_keys(table: BoundTable, described: SourceTable, keys: Collection[tuple[str, ...]]) -> Candidates:
    """The rows of the given keys, each as the texts of its columns; those that the source has no row for were deleted."""
    names = sql.SQL(", ").join(sql.Identifier("source", column) for column in table.key)
    places = [sql.Identifier(f"k{place}") for place in range(len(table.key))]
    cast = sql.SQL(", ").join(
        sql.SQL("{}::{}").format(place, sql.SQL(described.columns[column].source_type))
        for place, column in zip(places, table.key, strict=True)
    )
    # Distinct, so that nothing shuffles them again, and in the order of the key's index: most of the time goes into finding rows in it.
    reads = tuple(
        sql.SQL("({}) in (select distinct {} from unnest({}) as keys ({}) order by {})").format(
            names,
            cast,
            sql.SQL(", ").join(sql.SQL("{}::text[]").format(sql.Literal(list(texts))) for texts in zip(*part, strict=True)),
            sql.SQL(", ").join(places),
            sql.SQL(", ").join(sql.SQL(str(place)) for place in range(1, len(table.key) + 1)),
        )
        for part in _parts(keys)
    )
    return Candidates("change data capture", reads, keys=keys)


def _parts(keys: Collection[tuple[str, ...]]) -> Iterator[Sequence[tuple[str, ...]]]:
    rest = iter(keys)
    while part := list(islice(rest, _KEYS_PER_READ)):
        yield part
