"""Moving rows from the source to the warehouse.

Belongs here: COPY in binary form over a pipe, read by one thread and written by another, so that both servers work at once and no row
becomes a Python object. Does not belong here: which rows (`capture`) and what becomes of them (`apply`).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.ingestion.errors import from_driver


def relay(source: Cursor, query: sql.Composable, source_name: str, warehouse: Cursor, table: sql.Composable) -> int:
    """Copy a source query's rows into a warehouse table of the same column types.

    Args:
        source: Cursor that the rows are read with.
        query: What to read.
        source_name: What the user calls the source, for errors.
        warehouse: Cursor that the rows are written with.
        table: Where they go.

    Returns:
        The number of rows copied.

    Raises:
        SyncError: The source failed.
        psycopg2.Error: The warehouse failed.
    """
    read_end, write_end = os.pipe()
    with ThreadPoolExecutor(max_workers=1) as reader:
        sending = reader.submit(_send, source, query, os.fdopen(write_end, "wb"))
        try:
            _receive(warehouse, table, os.fdopen(read_end, "rb"))
        except errors.BadCopyFileFormat:
            # A source that fails ends the stream early: what looks like malformed data is its error, raised below.
            if sending.exception() is None:
                raise
        try:
            return sending.result()
        except psycopg2.Error as error:
            raise from_driver(error, source_name) from error


def _send(source: Cursor, query: sql.Composable, stream: BinaryIO) -> int:
    with stream:
        source.copy_expert(sql.SQL("copy ({}) to stdout (format binary)").format(query), stream)
        return source.rowcount


def _receive(warehouse: Cursor, table: sql.Composable, stream: BinaryIO) -> None:
    with stream:
        warehouse.copy_expert(sql.SQL("copy {} from stdin (format binary)").format(table), stream)
