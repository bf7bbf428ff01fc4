"""`make bench-publish`: what ways to publish marts cost, and what readers feel of them.

Belongs here: the ways that ADR 8 weighs, on two marts that readers join meanwhile. Does not belong here: how the published rows are made
(`refresh`). Its last line is one JSON object with every figure.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated

import psycopg2
import typer
from rich.console import Console

from benchmarks import machine
from benchmarks.grid import Grid
from benchmarks.servers import execute, server_pair

MARTS = ("first", "second")
READERS = 8
PUBLICATIONS = 5
# Analysts' reports take their time; who needs an exclusive lock waits for them, and whoever comes later waits behind him.
REPORT_SECONDS = 2

_JOINED = "from first inner join second using (group_id)"
_QUERY = f"select count(*) filter (where first.refresh_id <> second.refresh_id) {_JOINED} where group_id <= 2000"
_REPORT = f"select count(*) {_JOINED} cross join pg_sleep({REPORT_SECONDS})"

_PAGE = """# What readers feel of a publication

`make bench-publish` on a machine with {cores} cores ({processor}), {memory} GB of memory, PostgreSQL {postgresql}, Python {python}, {date}.
Load of the machine when it began: {load}.

Two marts of {size:,} rows each, of which a hundredth changes {publications} times and is published, in each way. Meanwhile {readers}
readers join the marts in a loop, and one runs reports of {report} seconds.

* *Differing rows* is Runmart's way: the rows that differ are deleted and inserted, in all marts in one transaction.
* *All rows*: every row is deleted and inserted, in one transaction.
* *Two copies*: the rows that differ are written to the copies that nobody reads, then views are repointed to these (`create or replace
  view`), in one transaction. Each change is written twice, once to either copy.
* *Renamed tables*, as dbt's `table` materialization does it: each mart is made anew, renamed, and the old one dropped with `cascade`.

{table}

*Longest wait* is the slowest answer to a reader. *Mixed* are answers that joined rows of two publications.
"""


def _differing_rows(mart: str, changes: str) -> str:
    return (
        f"delete from {mart} using {changes} as changes where {mart}.group_id = changes.group_id;"
        f"insert into {mart} select * from {changes};"
    )


def _publish_differing_rows(_: int) -> list[str]:
    return ["".join(_differing_rows(mart, f"{mart}_changes") for mart in MARTS)]


def _publish_all_rows(_: int) -> list[str]:
    return ["".join(f"delete from {mart}; insert into {mart} select * from {mart}_next;" for mart in MARTS)]


def _publish_to_a_copy(number: int) -> list[str]:
    copy = number % 2
    written = [_differing_rows(f"{mart}_{copy}", f"{mart}_{changes}") for mart in MARTS for changes in ("changes_before", "changes")]
    repointed = [f"create or replace view {mart} as select * from {mart}_{copy};" for mart in MARTS]
    return ["".join(written + repointed)]


def _publish_by_renaming(_: int) -> list[str]:
    statements = []
    for mart in MARTS:
        statements += [
            f"create table {mart}_new as select * from {mart}_next; alter table {mart}_new add unique (group_id)",
            f"alter table {mart} rename to {mart}_old; alter table {mart}_new rename to {mart}",
            f"drop table {mart}_old cascade",
        ]
    return statements


@dataclass(frozen=True)
class Way:
    """A way to publish.

    Attributes:
        name: How the table names it.
        publication: The transactions of the publication of this number.
        has_copies: Whether marts are views of two copies, and not tables.
    """

    name: str
    publication: Callable[[int], list[str]]
    has_copies: bool = False


WAYS = (
    Way("differing rows", _publish_differing_rows),
    Way("all rows", _publish_all_rows),
    Way("two copies", _publish_to_a_copy, has_copies=True),
    Way("renamed tables", _publish_by_renaming),
)


@dataclass(frozen=True)
class Result:
    """What a way costs, and what readers felt.

    Attributes:
        name: The way.
        seconds: Wall time of a publication, median.
        wal_megabytes: What a publication writes to the log, mean.
        longest_wait: Seconds of the slowest answer to a reader.
        mixed: Answers that joined rows of two publications.
        errors: Queries that failed.
        keeps_views: Whether a view that a user made of a mart is still there.
    """

    name: str
    seconds: float
    wal_megabytes: float
    longest_wait: float
    mixed: int
    errors: int
    keeps_views: bool


@dataclass
class _Readings:
    """What readers have seen; lists, because threads append to these without a lock."""

    seconds: list[float] = field(default_factory=list)
    mixed: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def _read(url: str, query: str, must_end: threading.Event, readings: _Readings | None) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while not must_end.wait(0.05):
            started = time.monotonic()
            try:
                cursor.execute(query)
                ((mixed,),) = cursor.fetchall()
            except psycopg2.Error as error:
                if readings:
                    readings.errors.append(str(error))
                continue
            if readings:
                readings.seconds.append(time.monotonic() - started)
                readings.mixed.append(mixed > 0)


@contextmanager
def _readers(url: str) -> Iterator[_Readings]:
    """Readers that read until the end of the block."""
    readings, must_end = _Readings(), threading.Event()
    work = [(url, _QUERY, must_end, readings)] * READERS + [(url, _REPORT, must_end, None)]
    threads = [threading.Thread(target=_read, args=arguments) for arguments in work]
    for thread in threads:
        thread.start()
    try:
        yield readings
    finally:
        must_end.set()
        for thread in threads:
            thread.join()


def _create(url: str, way: Way, size: int) -> None:
    """Marts as publication 0 left them, and the tables that publications read."""
    for mart in MARTS:
        execute(
            url,
            f"""
            create table {mart}_next as
            select group_id, 0 as refresh_id, sin(group_id) as median, cos(group_id) as p95, md5(group_id::text) as label
            from generate_series(1, {size}) as group_id;
            alter table {mart}_next add primary key (group_id);
            create table {mart}_changes as select * from {mart}_next limit 0;
            create table {mart}_changes_before as select * from {mart}_next limit 0;
            """,
        )
        for table in [f"{mart}_0", f"{mart}_1"] if way.has_copies else [mart]:
            execute(url, f"create table {table} as select * from {mart}_next; alter table {table} add primary key (group_id)")
        if way.has_copies:
            execute(url, f"create view {mart} as select * from {mart}_0")
    execute(url, "create view of_a_user as select count(*) from first")


def _change(url: str, number: int) -> None:
    """Make the rows of the next publication."""
    for mart in MARTS:
        execute(
            url,
            f"""
            truncate {mart}_changes_before;
            insert into {mart}_changes_before select * from {mart}_changes;
            truncate {mart}_changes;
            insert into {mart}_changes
            select group_id, {number}, sin(group_id + {number}), cos(group_id + {number}), label
            from {mart}_next where (group_id + {number}) % 100 = 0;
            update {mart}_next as old set refresh_id = new.refresh_id, median = new.median, p95 = new.p95
            from {mart}_changes as new where old.group_id = new.group_id;
            """,
        )


def _measure(url: str, way: Way, size: int) -> Result:
    """Publish again and again while readers read."""
    _create(url, way, size)
    execute(url, "vacuum (analyze)")
    seconds, written = [], 0
    with _readers(url) as readings:
        for number in range(1, PUBLICATIONS + 1):
            _change(url, number)
            transactions = way.publication(number)
            ((position,),) = execute(url, "select pg_current_wal_insert_lsn()")
            started = time.monotonic()
            for transaction in transactions:
                execute(url, transaction)
            seconds.append(time.monotonic() - started)
            ((bytes_written,),) = execute(url, f"select pg_current_wal_insert_lsn() - '{position}'")
            written += int(bytes_written)
    wrong = execute(url, " union all ".join(f"(table {mart} except table {mart}_next)" for mart in MARTS))
    if wrong:
        raise RuntimeError(f"{way.name}: published {wrong[0]}, which is not what was to be published")
    ((keeps_views,),) = execute(url, "select to_regclass('of_a_user') is not null")
    return Result(
        way.name,
        round(median(seconds), 3),
        round(written / PUBLICATIONS / 2**20, 1),
        round(max(readings.seconds), 3),
        sum(readings.mixed),
        len(readings.errors),
        keeps_views,
    )


def _grid(results: list[Result]) -> Grid:
    header = ("way", "publication, s", "log, MB", "longest wait of a reader, s", "mixed answers", "errors", "users' views")
    rows = [
        (
            result.name,
            f"{result.seconds:.2f}",
            f"{result.wal_megabytes:.1f}",
            f"{result.longest_wait:.2f}",
            str(result.mixed),
            str(result.errors),
            "kept" if result.keeps_views else "gone",
        )
        for result in results
    ]
    return Grid(f"{PUBLICATIONS} publications", header, rows)


def main(
    size: Annotated[int, typer.Option(min=1000, help="Rows of each mart.")] = 200_000,
    output: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("docs/benchmarks"),
) -> None:
    """Measure ways to publish."""
    results = []
    with server_pair() as servers:
        facts = machine.facts(servers.source.version)
        for way in WAYS:
            url = servers.warehouse.new_database("empty")
            results.append(_measure(url, way, size))
            servers.warehouse.drop(url)
    grid = _grid(results)
    Console(width=130).print(grid.for_terminal())
    page = _PAGE.format(**facts, size=size, publications=PUBLICATIONS, readers=READERS, report=REPORT_SECONDS, table=grid.as_markdown())
    output.mkdir(parents=True, exist_ok=True)
    (output / "publish.md").write_text(page, encoding="utf-8")
    print(json.dumps({"size": size, "machine": facts, "ways": [asdict(result) for result in results]}))


if __name__ == "__main__":
    typer.run(main)
