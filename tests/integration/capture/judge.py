"""The verdict on each sync: raw must equal the source at the sync's own snapshot, or be untouched.

Belongs here: which state of the source raw is held against. Does not belong here: how states are read and compared (`oracle`).
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from psycopg2 import errors

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.sync import SyncResult, sync
from tests.integration.capture import oracle
from tests.integration.capture.attempts import Attempt, Ending
from tests.integration.capture.oracle import Contents, Difference
from tests.integration.capture.places import Place


class Judge:
    """Remembers what raw held (nothing, before its first verdict), and what the source held at the last snapshot.

    Args:
        contract: What is copied.
        source_url: libpq URL of the source.
        warehouse_url: libpq URL of the warehouse.
    """

    def __init__(self, contract: SystemContract, source_url: str, warehouse_url: str) -> None:
        self._contract = contract
        self._source_url = source_url
        self._warehouse_url = warehouse_url
        self._before: Contents = {table: Counter() for table in contract.tables}
        self._at_snapshot: Contents | None = None
        self._leaves: frozenset[tuple[str, str]] = frozenset()

    def on_snapshot(self, snapshot: str) -> None:
        """Take down the source at the snapshot that a sync is about to read; a crash may have taken the snapshot, and the sync, by now."""
        # First: a partition that comes while the contents are read must count as one that came meanwhile.
        self._leaves = oracle.leaves(self._source_url, self._contract)
        with suppress(errors.UndefinedObject):
            self._at_snapshot = oracle.source_contents(self._source_url, self._contract, snapshot)

    def verdict(self, attempt: Attempt) -> Difference:
        """What raw has wrong after an attempt.

        A sync that is done brought all of the snapshot, but of the tables that stand still nothing; any other all of it or nothing.
        """
        raw = oracle.raw_contents(self._warehouse_url, self._contract)
        possible = [self._at_snapshot] if attempt.ending is Ending.DONE else [self._before, self._at_snapshot]
        if attempt.standing and self._at_snapshot is not None:
            possible = [{**self._at_snapshot, **{table: self._before[table] for table in attempt.standing}}]
        self._at_snapshot = None
        differences = [oracle.compare(self._settled(contents), raw) for contents in possible if contents is not None]
        self._before = raw
        return min(differences, key=lambda difference: difference.total)

    def final(self) -> Difference:
        """What raw has wrong when nothing writes any more and the last sync ended well."""
        return oracle.compare(
            oracle.source_contents(self._source_url, self._contract), oracle.raw_contents(self._warehouse_url, self._contract)
        )

    def _settled(self, contents: Contents) -> Contents:
        """Without the tables whose partitions came or went meanwhile: which of them a query reads is no matter of its snapshot."""
        moved = {table for table, _ in self._leaves ^ oracle.leaves(self._source_url, self._contract)}
        return {table: rows for table, rows in contents.items() if table not in moved}


def exact_sync(
    place: Place, contract: SystemContract, on_event: Callable[[SyncEvent], None] = lambda _: None, source_url: str | None = None
) -> SyncResult:
    """One sync in this process, after which raw must equal the source at the sync's own snapshot.

    Args:
        place: Where.
        contract: What is copied.
        on_event: Called after the judge has seen the event.
        source_url: Another server to read from than the place's own.
    """
    url = source_url or place.source_url
    judge = Judge(contract, url, place.warehouse_url)

    def watch(event: SyncEvent) -> None:
        if event.source is not None:
            judge.on_snapshot(oracle.exported(event.source))
        on_event(event)

    result = sync(contract, url, place.warehouse_url, on_event=watch)
    assert result.standing == ()
    difference = judge.verdict(Attempt(Ending.DONE))
    assert difference.total == 0, difference
    return result


def during(stage: Stage, action: Callable[[], object]) -> Callable[[SyncEvent], None]:
    """Do something once, when a sync comes to a stage."""
    waiting = [action]

    def watch(event: SyncEvent) -> None:
        if event.stage is stage and waiting:
            waiting.pop()()

    return watch
