"""Connections that dbt uses again: how many there are, and how the next statement finds one.

Belongs here: the pool by itself, and that a build uses it. Does not belong here: what is built over its connections.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import psycopg2
import pytest
from dbt.adapters.postgres.connections import PostgresCredentials
from dbt_common.helper_types import Port
from psycopg2.extensions import parse_dsn

from dbt_runmart.connections import PooledConnections
from tests.integration.marts.conftest import House

ROLE = "runmart_transform"


@pytest.fixture
def pool(house: House) -> Iterator[PooledConnections]:
    """An empty pool of connections to the warehouse."""
    parts = parse_dsn(house.warehouse_url)
    credentials = PostgresCredentials(
        host=parts["host"], user=parts["user"], port=Port(5432), password="", database=parts["dbname"], schema="staging", role=ROLE
    )
    pool = PooledConnections(cast("Any", SimpleNamespace(credentials=credentials)), get_context("spawn"))
    yield pool
    pool.cleanup_all()


def ask(pool: PooledConnections, *statements: str) -> tuple[Any, ...]:
    """Run statements as a node of dbt does, which takes a connection and releases it; the last one's first row."""
    pool.set_connection_name("node")
    try:
        for statement in statements:
            _, cursor = pool.add_query(statement)
        return cast("tuple[Any, ...]", cursor.fetchone())
    finally:
        pool.release()


def test_a_build_opens_no_more_connections_than_it_uses_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = Mock(wraps=psycopg2.connect)
    monkeypatch.setattr(psycopg2, "connect", connect)
    house.build()
    threads, hooks, engine = 2, 1, 1
    assert engine < connect.call_count <= threads + hooks + engine


def test_a_released_connection_is_given_to_the_next_that_asks(pool: PooledConnections) -> None:
    (backend,) = ask(pool, "select pg_backend_pid()")
    assert ask(pool, "select pg_backend_pid()") == (backend,)
    with ThreadPoolExecutor(1) as other_thread:
        assert other_thread.submit(ask, pool, "select pg_backend_pid()").result() == (backend,)


def test_two_that_ask_at_once_have_a_connection_each(pool: PooledConnections) -> None:
    pool.set_connection_name("first")
    _, cursor = pool.add_query("select pg_backend_pid()")
    with ThreadPoolExecutor(1) as other_thread:
        assert other_thread.submit(ask, pool, "select pg_backend_pid()").result() != cursor.fetchone()


def test_what_was_not_committed_is_rolled_back_but_the_role_stays(pool: PooledConnections) -> None:
    assert ask(pool, "create table staging.not_committed ()", "set local statement_timeout = 12345", "select 1") == (1,)
    found = ask(pool, "select to_regclass('staging.not_committed')::text, current_setting('statement_timeout'), current_user")
    assert found == (None, "0", ROLE)


def test_a_failed_statement_does_not_spoil_its_connection(pool: PooledConnections) -> None:
    (backend,) = ask(pool, "select pg_backend_pid()")
    with pytest.raises(Exception, match="division by zero"):
        ask(pool, "select 1 / 0")
    assert ask(pool, "select pg_backend_pid(), current_user") == (backend, ROLE)


def test_a_connection_that_the_server_ended_is_not_given_again(pool: PooledConnections, house: House) -> None:
    pool.set_connection_name("node")
    _, cursor = pool.add_query("select pg_backend_pid()")
    (backend,) = cursor.fetchone()
    house.warehouse("select pg_terminate_backend(%s, 10000)", backend)
    pool.release()
    (other,) = ask(pool, "select pg_backend_pid()")
    assert other != backend


def test_at_the_end_nothing_stays_open(pool: PooledConnections) -> None:
    (backend,) = ask(pool, "select pg_backend_pid()")
    pool.set_connection_name("node")
    handle = pool.get_thread_connection().handle
    assert handle.get_backend_pid() == backend
    pool.release()
    pool.cleanup_all()
    assert handle.closed
