"""Bringing one table to the snapshot.

Belongs here: reading candidates and applying them until the number of live rows proves that nothing is missing. Does not belong here: which
candidates come first (`capture`), and transactions (`sync`).
"""

import time
from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.table import BoundTable
from dagster_project.ingestion import apply, buckets, presence
from dagster_project.ingestion.candidates import COMPARISON, EVERYTHING, NOTHING, Candidates
from dagster_project.ingestion.reading import select
from dagster_project.ingestion.relay import Copied
from dagster_project.ingestion.source import SourceSnapshot
from dagster_project.ingestion.watermark import Batch, TableSync
from dagster_project.postgres.cursors import one_row


@dataclass
class TableLoad:
    """One table on its way to the snapshot.

    Attributes:
        table: The table.
        source: The snapshot.
        batch: The sync under way.
        writing: Cursor in the warehouse's transaction.
        live_rows: Live rows of raw, kept exact.
        found_by: The ways in which rows that may differ were found.
        copied: What was read.
        applied: What changed in raw.
        seconds: Time taken.
        warnings: What a person should know.
    """

    table: BoundTable
    source: SourceSnapshot
    batch: Batch
    writing: Cursor
    live_rows: int = 0
    found_by: list[str] = field(default_factory=list)
    copied: Copied = field(default_factory=Copied)
    applied: apply.Applied = field(default_factory=apply.Applied)
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def run(self, first: Candidates) -> None:
        """Apply the first candidates, then what the number of rows shows to be missing."""
        started = time.monotonic()
        if first is COMPARISON:
            self._compare_and_apply()
            first = NOTHING
        if first.lacks_deleted and not self.table.key:
            first = self._all_or_nothing(first)
        if first is not NOTHING:
            self._read_and_apply(first)
        if first.lacks_deleted:
            self._settle(self._count(sql.SQL("true")))
        self.seconds += time.monotonic() - started

    def table_sync(self, new_columns: tuple[str, ...]) -> TableSync:
        """What was done, for the record."""
        return TableSync(
            table=self.table.name,
            found_by=", ".join(self.found_by) or NOTHING.found_by,
            source_rows=self.live_rows,
            rows_read=self.copied.rows,
            bytes_read=self.copied.bytes,
            rows_inserted=self.applied.inserted,
            rows_updated=self.applied.updated,
            rows_deleted=self.applied.deleted,
            seconds=round(self.seconds, 3),
            new_columns=new_columns,
        )

    def read(self, found: Candidates) -> Copied:
        """Copy candidates into the table of incoming rows."""
        apply.create_incoming(self.writing, self.table)
        copied = Copied()
        for condition in found.reads:
            with self.source.relaying(self.writing) as relay:
                copied += relay.copy(select(self.table, self.source.tables[self.table.name], condition), apply.INCOMING)
        return copied

    def make_equal(self, found: Candidates) -> None:
        """Make raw equal the source for the candidates, which have come in."""
        where = (self.writing, self.table)
        if not self.table.key:
            self._note(apply.replace(*where, self.batch, found.scope or sql.SQL("true")))
            return
        self._note(apply.upsert(*where, self.batch))
        if found.keys:
            apply.find_gone(*where, found.keys)
            self._note(apply.delete_gone(*where, self.batch))
        elif found.scope is not None:
            self._note(apply.delete_missing(*where, self.batch, found.scope))

    def _read_and_apply(self, found: Candidates) -> None:
        self.found_by.append(found.found_by)
        if not found.reads:
            return
        copied = self.read(found)
        self.make_equal(found)
        self.copied += copied
        if found.is_everything:
            self.live_rows = copied.rows

    def _note(self, applied: apply.Applied) -> None:
        self.applied += applied
        self.live_rows += applied.inserted - applied.deleted

    def _settle(self, source_rows: int) -> None:
        """Raw holds at least the source's rows now: as many rows prove that they are the same, more that some were deleted."""
        if self.live_rows > source_rows:
            self._find_deleted(source_rows)
        if self.live_rows != source_rows:
            self.warnings.append(
                f"{self.table.raw_name} had {self.live_rows} live rows where the source has {source_rows}, which no "
                "change explains: it was compared in full and is right now"
            )
            self._read_and_apply(EVERYTHING)

    def _find_deleted(self, source_rows: int) -> None:
        if presence.has_map(self.table, self.source.tables[self.table.name]):
            self.copied += presence.find_gone(self.source, self.writing, self.table)
            self.found_by.append("map of keys")
            self._note(apply.delete_gone(self.writing, self.table, self.batch))
            return
        self._read_and_apply(self._compare(source_rows, self.table.key).differing)

    def _compare_and_apply(self) -> None:
        comparison = self._compare(self.live_rows, self.table.columns)
        self._read_and_apply(comparison.differing)
        self.live_rows = comparison.source_rows

    def _compare(self, rows: int, columns: tuple[str, ...]) -> buckets.Comparison:
        comparison = buckets.compare(self.source, self.writing, self.table, rows=rows, columns=columns)
        self.copied += comparison.copied
        return comparison

    def _all_or_nothing(self, written: Candidates) -> Candidates:
        """Rows without a key cannot be applied one by one: nothing to do if none was written and none is gone, else all are compared."""
        (condition,) = written.reads
        is_same = self._count(condition) == 0 and self._count(sql.SQL("true")) == self.live_rows
        return NOTHING if is_same else EVERYTHING

    def _count(self, condition: sql.Composable) -> int:
        query = sql.SQL("select count(*) from {} as source where {}").format(self.table.source, condition)
        with self.source.reading() as reading:
            reading.execute(query)
            return int(one_row(reading)[0])
