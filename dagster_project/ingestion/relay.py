"""Moving rows from the source to the warehouse.

Belongs here: COPY in binary form over a pipe, read by one thread and written by another, so that both servers work at once and no row
becomes a Python object; counting and slowing down what passes. Does not belong here: which rows (`candidates`) and what becomes of them
(`apply`).
"""

import fcntl
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion.errors import StatementFailed
from dagster_project.postgres.driver_errors import row_being_copied

SECONDS_BETWEEN_REPORTS = 2.0

_BLOCK = 2**18
_PIPE = 2**20
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    rows: int = 0
    bytes: int = 0

    def __add__(self, other: "Copied") -> "Copied":
        return Copied(self.rows + other.rows, self.bytes + other.bytes)


@dataclass(frozen=True)
class Relay:
    """A way from the source to the warehouse.

    Attributes:
        source: Cursor that the rows are read with.
        warehouse: Cursor that the rows are written with.
        megabytes_per_second: How fast the source may be read; None for as fast as it goes.
        on_bytes: Called every two seconds with the number of bytes copied so far.
    """

    source: Cursor
    warehouse: Cursor
    megabytes_per_second: float | None = None
    on_bytes: Callable[[int], None] = lambda _: None

    def copy(
        self, query: sql.Composable, table: sql.Composable, *, is_frozen: bool = False, meanwhile: sql.Composable | None = None
    ) -> Copied:
        """Copy a source query's rows into a warehouse table of the same column types.

        Args:
            query: What to read.
            table: Where it goes, with a list of columns unless the query gives all of them.
            is_frozen: The table was made in this transaction, so its rows can be written as if they were old: nothing visits them again.
            meanwhile: A statement that the warehouse executes first, while the source begins to work.

        Raises:
            StatementFailed: One of the two failed; the source's connection can be used again after a rollback, as the warehouse's can.
        """
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE)
        stream = _Metered(os.fdopen(read_end, "rb", buffering=0), self.megabytes_per_second, self.on_bytes)
        options = sql.SQL("format binary, freeze" if is_frozen else "format binary")
        with ThreadPoolExecutor(max_workers=1) as reader:
            sending = reader.submit(_send, self.source, query, os.fdopen(write_end, "wb", buffering=_BLOCK))
            try:
                with stream.pipe:
                    if meanwhile is not None:
                        self.warehouse.execute(meanwhile)
                    self.warehouse.copy_expert(sql.SQL("copy {} from stdin ({})").format(table, options), stream, size=_BLOCK)
            except psycopg2.Error as error:
                # A source that fails ends the stream early: what looks like malformed data is its error.
                failed = sending.exception() if stream.has_ended else None
                if isinstance(failed, psycopg2.Error):
                    # Without a single row the warehouse has not come to count them.
                    raise StatementFailed(failed, is_at_source=True, row=row_being_copied(error) or 1) from failed
                if not sending.done():
                    # It shall not go on reading rows that nobody takes: they may be many.
                    self.source.connection.cancel()
                raise StatementFailed(error, is_at_source=False, row=row_being_copied(error)) from error
            try:
                return Copied(sending.result(), stream.bytes)
            except psycopg2.Error as error:
                # A stream that ends between two rows looks like a whole one.
                raise StatementFailed(error, is_at_source=True, row=self.warehouse.rowcount + 1) from error


class _Metered(io.RawIOBase):
    """A pipe that counts what is read from it, and holds back the reader when that is too fast."""

    def __init__(self, pipe: BinaryIO, megabytes_per_second: float | None, on_bytes: Callable[[int], None]) -> None:
        super().__init__()
        self.pipe = pipe
        self.bytes = 0
        self.has_ended = False
        self._rate = megabytes_per_second * _MEGABYTE if megabytes_per_second else None
        self._on_bytes = on_bytes
        self._started = self._reported = time.monotonic()

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, fewer than asked for if there are fewer yet."""
        block = self.pipe.read(size)
        self.bytes += len(block)
        self.has_ended = not block
        now = time.monotonic()
        if now - self._reported >= SECONDS_BETWEEN_REPORTS:
            self._reported = now
            self._on_bytes(self.bytes)
        if self._rate is not None:
            time.sleep(max(0.0, self._started + self.bytes / self._rate - now))
        return block


def _send(source: Cursor, query: sql.Composable, stream: BinaryIO) -> int:
    with stream:
        source.copy_expert(sql.SQL("copy ({}) to stdout (format binary)").format(query), stream)
        return source.rowcount
