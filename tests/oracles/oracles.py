"""Oracles of marts: what a mart must hold, asked of the source by SQL that was written from the mart's description.

`<system>/<mart>.sql` is one query over the source database of the system. It gives the columns of the mart by their names, but those that
name the refresh, and may use `%(now)s`, the moment of the refresh. `fct_runs.sql` gives the rows of one system. Each reads the source's own
tables, and none of what Runmart makes of them. `{oracle <mart>}` stands for the query of another mart of the system. What a mart takes of
another system, a query over that one says, `<mart>.<other system>.sql`; the oracle uses its rows as `%(<other system>)s`, a JSON array.

Belongs here: finding the oracles, and holding marts against them. Does not belong here: what changes in the sources, and when marts are
refreshed.
"""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import psycopg2

FOLDER = Path(__file__).parent

# Sums of doubles differ in their last digits by the order in which they are made.
TOLERANCE = 1e-9

_OTHER = re.compile(r"\{oracle (\w+)\}")

# What no source says: which refresh has written a row, and what was found of the files that it names, which
# `tests/integration/marts/test_records.py` holds.
_OF_RUNMART = ("refreshed_at", "source_batch_id", "digests_verified", "digests_wrong")

Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Oracle:
    """The query that says what the rows of one system in a mart are.

    Attributes:
        system: Name of the system.
        mart: Name of the mart.
        query: The query over its source.
        others: By other system that the mart reads, the query over that one.
    """

    system: str
    mart: str
    query: str
    others: Mapping[str, str]

    def expected(self, source_urls: Mapping[str, str], now: datetime) -> list[Record]:
        """What the mart must hold after a refresh at this moment."""
        others = {system: json.dumps(_rows(source_urls[system], query, {})) for system, query in self.others.items()}
        return _rows(source_urls[self.system], self.query, {"now": now, **others})

    def found(self, warehouse_url: str) -> list[Record]:
        """What the mart holds of the system."""
        of_the_system = f"where system_name = '{self.system}'" if self.mart == "fct_runs" else ""
        return [
            {column: value for column, value in row.items() if column not in _OF_RUNMART}
            for row in _rows(warehouse_url, f"select * from analytics.{self.mart} {of_the_system}", {})
        ]


def oracles() -> list[Oracle]:
    """All that there are, by system and mart."""
    files = [file for file in sorted(FOLDER.glob("*/*.sql")) if "." not in file.stem]
    return [Oracle(file.parent.name, file.stem, _query(file), _others(file)) for file in files]


def _others(file: Path) -> dict[str, str]:
    found = sorted(file.parent.glob(f"{file.stem}.*.sql"))
    return {other.stem.partition(".")[2]: other.read_text(encoding="utf-8") for other in found}


def differences(
    source_urls: Mapping[str, str], warehouse_url: str, now: datetime, systems: Collection[str] | None = None
) -> dict[str, list[tuple[str, Record]]]:
    """Rows that only a mart or only its oracle has, with their side, by system and mart; empty if all are equal.

    Args:
        source_urls: The sources, by system.
        warehouse_url: The warehouse.
        now: When the marts were refreshed.
        systems: Those whose oracles are asked; all that have a source if None.
    """
    told = {
        f"{oracle.system}: {oracle.mart}": [*_differing(oracle.expected(source_urls, now), oracle.found(warehouse_url))]
        for oracle in oracles()
        if oracle.system in (source_urls if systems is None else systems)
    }
    return {mart: rows for mart, rows in told.items() if rows}


def _query(file: Path) -> str:
    """The query in a file, with those of other marts in their places."""
    return _OTHER.sub(lambda other: _query(file.with_name(f"{other[1]}.sql")), file.read_text(encoding="utf-8"))


def _rows(url: str, query: str, parameters: Mapping[str, object]) -> list[Record]:
    with closing(psycopg2.connect(url, options="-c timezone=UTC")) as connection, connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _differing(expected: list[Record], found: list[Record]) -> Iterator[tuple[str, Record]]:
    """Rows of one side only; rows whose doubles are close are the same."""
    unmatched: dict[str, list[Record]] = {}
    for row in found:
        unmatched.setdefault(_exact(row), []).append(row)
    for row in expected:
        candidates = unmatched.get(_exact(row), [])
        match = next((other for other in candidates if _are_close(row, other)), None)
        if match is None:
            yield "expected", row
        else:
            candidates.remove(match)
    yield from (("found", row) for rows in unmatched.values() for row in rows)


def _exact(row: Record) -> str:
    """The names of all columns, and the values of those that hold no doubles."""
    return repr(sorted((name, "a double" if isinstance(value, float) else value) for name, value in row.items()))


def _are_close(one: Record, other: Record) -> bool:
    return all(
        math.isclose(value, other[name], rel_tol=TOLERANCE) or (math.isnan(value) and math.isnan(other[name]))
        for name, value in one.items()
        if isinstance(value, float)
    )
