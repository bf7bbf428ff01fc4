"""First loads of many tables at one snapshot, over as many connections to the source as the contract allows.

Belongs here: the workers that load, what each of them has, and how they end. Does not belong here: loading one table (`first_load`), and
which tables are loaded (`sync`). A worker asks the thread that started it what to load, and tells it what became of that: all that is known
of a sync is kept by one thread, and so are its events told.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Semaphore
from typing import Any, Protocol, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import own_failures, warehouse, watermark
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.first_load import first_load
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import Batch, TableState, TableSync

_Answer = TypeVar("_Answer")

# How often a worker that shall end is interrupted: it may be between two statements.
_SECONDS_BETWEEN_CANCELS = 0.1


class Loads(Protocol):
    """What is to be loaded, and what became of it; asked and told by one thread only."""

    def next_table(self) -> BoundTable | None:
        """What to load next; None if there is nothing left, or no time."""

    def on_event(self, event: SyncEvent) -> None:
        """Called at each stage."""

    def note_loaded(self, table_sync: TableSync, state: TableState) -> None:
        """Called when a table is loaded and committed."""

    def note_failure(self, table: BoundTable, failure: SyncError) -> None:
        """Called when a table has failed for a reason of its own, and nothing of it is left."""


class _Ask(Protocol):
    """Has something done by the thread that may, and gives what that returns."""

    def __call__(self, work: Callable[[], _Answer]) -> _Answer: ...


@dataclass(frozen=True)
class Databases:
    """Where workers open connections of their own."""

    source_url: str
    warehouse_url: str


def load_tables(
    loads: Loads, contract: SystemContract, databases: Databases, *, source: SourceSnapshot, writing: Connection, batch: Batch
) -> None:
    """Load tables, each in a transaction of its own.

    Args:
        loads: Which.
        contract: All that may be loaded.
        databases: Where.
        source: The snapshot.
        writing: The sync's own connection to the warehouse. With one connection to the source it writes, else it only holds its lock.
        batch: The batch that is loaded for, committed.

    Raises:
        SyncInProgress: Another sync has gone on with the batch.
        StatementFailed: The source or the warehouse failed for all tables; or psycopg2.Error.
    """
    connections = min(contract.limits.connections, len(contract.tables))
    with ExitStack() as opened:
        snapshots = opened.enter_context(source.also_over(connections, contract, databases.source_url)) if connections > 1 else (source,)
        if len(snapshots) == 1:
            _Worker(snapshots[0], writing, batch, loads, lambda work: work()).run()
            return
        desk = _Desk()
        workers = []
        for snapshot in snapshots:
            own = opened.enter_context(warehouse.connect(contract.system, databases.warehouse_url, Connection))
            own.autocommit = False
            workers.append(_Worker(snapshot, own, batch, loads, desk.ask))
        _run_all(workers, desk)


@dataclass(frozen=True)
class _Worker:
    """One after the other loads what it is given.

    Attributes:
        source: The snapshot, over a connection that nobody else uses meanwhile.
        warehouse: A connection to the warehouse, likewise.
        batch: The batch that is loaded for.
        loads: What is to be loaded.
        ask: The way to ask and tell `loads`.
    """

    source: SourceSnapshot
    warehouse: Connection
    batch: Batch
    loads: Loads
    ask: _Ask

    def run(self) -> None:
        """Load until there is nothing left."""
        while (table := self.ask(self.loads.next_table)) is not None:
            try:
                table_sync, state = self._load(table)
            except own_failures.FAILURES as error:
                if not own_failures.is_own(error):
                    raise
                with self.warehouse, self.warehouse.cursor() as cursor:
                    failure = own_failures.told(error, table, self.source, cursor)
                self.ask(partial(self.loads.note_failure, table, failure))
            else:
                self.ask(partial(self.loads.note_loaded, table_sync, state))

    def keep_snapshot_for(self, others: Sequence[Future[None]]) -> None:
        """Load, and keep the snapshot open until the others have ended too: it is theirs."""
        self.run()
        while wait(others, timeout=self.source.limits.idle_timeout_minutes * 60 / 3).not_done:
            self.source.keep()

    def cancel(self) -> None:
        """Interrupt what it is doing."""
        for connection in (self.source.connection, self.warehouse):
            with suppress(psycopg2.Error):
                connection.cancel()

    def _load(self, table: BoundTable) -> tuple[TableSync, TableState]:
        with self.warehouse:
            with self.warehouse.cursor() as cursor:
                watermark.hold_batch(cursor, table.system, self.batch)
            done = first_load(table, self.source, self.warehouse, batch=self.batch, on_bytes=partial(self._report, table))
            self._tell(SyncEvent(Stage.COPIED, table.name))
        return done

    def _report(self, table: BoundTable, copied: int) -> None:
        size = self.source.tables[table.name].bytes
        self._tell(SyncEvent(Stage.COPYING, table.name, copied_bytes=copied, estimated_bytes=size))

    def _tell(self, event: SyncEvent) -> None:
        self.ask(partial(self.loads.on_event, event))


@dataclass(frozen=True)
class _Desk:
    """Where one thread does what others ask it for, one thing after the other.

    Attributes:
        asked: What is not done yet, each with the place for what it returns.
        waiting: Counts them.
    """

    asked: deque[tuple[Callable[[], object], Future[Any]]] = field(default_factory=deque)
    waiting: Semaphore = field(default_factory=lambda: Semaphore(0))

    def ask(self, work: Callable[[], _Answer]) -> _Answer:
        """Have something done; returns when it is, raises CancelledError if it will not be."""
        answer: Future[_Answer] = Future()
        self._put(work, answer)
        return answer.result()

    def serve(self, running: Sequence[Future[None]]) -> None:
        """Do what is asked for until all have ended; raises what one of them failed for, or what was asked for."""
        for each in running:
            each.add_done_callback(lambda _: self._put(lambda: None, Future()))
        while True:
            are_done = all(each.done() for each in running)
            for each in running:
                if each.done():
                    each.result()
            if are_done:
                return
            self.waiting.acquire()
            work, answer = self.asked[0]
            answer.set_result(work())
            self.asked.popleft()

    def refuse(self) -> None:
        """Let nobody wait any longer for what will not be done."""
        while self.asked:
            _, answer = self.asked.popleft()
            answer.cancel()

    def _put(self, work: Callable[[], object], answer: Future[Any]) -> None:
        self.asked.append((work, answer))
        self.waiting.release()


def _run_all(workers: Sequence[_Worker], desk: _Desk) -> None:
    """Run each worker in a thread of its own; whatever ends one of them early, or this thread, ends all."""
    first, *others = workers
    with ThreadPoolExecutor(len(workers)) as threads:
        running = [threads.submit(worker.run) for worker in others]
        running.append(threads.submit(first.keep_snapshot_for, tuple(running)))
        try:
            desk.serve(running)
        except BaseException:
            while wait(running, timeout=_SECONDS_BETWEEN_CANCELS).not_done:
                desk.refuse()
                for worker in workers:
                    worker.cancel()
            raise
