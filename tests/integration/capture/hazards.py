"""Hazards: what owners and administrators of a source do to it while it is copied, one function per hazard.

Belongs here: changes that do not pass through rows, each over a connection in autocommit. Does not belong here: writing of rows
(`writers`), what happens to whole servers (`servers`), what is expected afterwards.
"""

import random
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from multiprocessing.synchronize import Event

import psycopg2
from psycopg2.extensions import cursor as Cursor

from tests.beside import beside
from tests.integration.capture.tables import LOOSE_YEARS, ODD_TABLE

_SLOT = "runmart_awkward"


def attach_filled(cursor: Cursor, year: int, rows: int = 5) -> None:
    """Fill a table of its own, then make it a partition: none of its rows is written as a row of `entry`."""
    cursor.execute(f"create table entry_{year} (like entry including all excluding identity)")
    cursor.execute(
        f"insert into entry_{year} (entry_id, booked_on, amount) select -n, make_date({year}, 3, 1), n from generate_series(1, {rows}) as n"
    )
    attach(cursor, year)


def attach(cursor: Cursor, year: int) -> None:
    """Make a table a partition."""
    cursor.execute(f"alter table entry attach partition entry_{year} for values from ('{year}-01-01') to ('{year + 1}-01-01')")


def detach(cursor: Cursor, year: int) -> None:
    """Take a partition out; it stays as a table."""
    cursor.execute(f"alter table entry detach partition entry_{year}")


def detach_concurrently(cursor: Cursor, year: int) -> None:
    """Take a partition out without locking the others; finished even if another transaction made it wait for too long."""
    try:
        cursor.execute(f"alter table entry detach partition entry_{year} concurrently")
    except psycopg2.errors.LockNotAvailable:
        cursor.execute("set lock_timeout = 0")
        cursor.execute(f"alter table entry detach partition entry_{year} finalize")
        cursor.execute("set lock_timeout = '1s'")


def change_while_detached(cursor: Cursor, year: int) -> None:
    """Take a partition out, change, delete and add rows there, and put it back."""
    detach(cursor, year)
    cursor.execute(f"delete from entry_{year} where (entry_id, booked_on) in (select entry_id, booked_on from entry_{year} limit 2)")
    cursor.execute(f"update entry_{year} set text = 'changed while detached'")
    cursor.execute(f"insert into entry_{year} (entry_id, booked_on) select min(entry_id) - 1, '{year}-07-01' from entry")
    attach(cursor, year)


def drop_partition(cursor: Cursor, year: int) -> None:
    """Drop a partition with its rows, or a table that was one."""
    cursor.execute(f"drop table entry_{year}")


def truncate_leaf(cursor: Cursor) -> None:
    """Empty one partition."""
    cursor.execute("truncate entry_2021_even")


def truncate_plain(cursor: Cursor) -> None:
    """Empty a table."""
    cursor.execute("truncate setting")


def truncate_and_refill(cursor: Cursor) -> None:
    """Empty a table and give it as many rows as it had, with other values under old keys."""
    cursor.execute(
        """
        begin;
        create temporary table kept on commit drop as select * from setting;
        truncate setting;
        insert into setting select name, 'refilled', valid_until, score, limits, changed_at from kept;
        commit
        """
    )


def vacuum_full(cursor: Cursor) -> None:
    """Write a table's file anew."""
    cursor.execute("vacuum full account")


def cluster(cursor: Cursor) -> None:
    """Write a table's file anew in the order of a key."""
    cursor.execute("cluster document using document_pkey")


def add_column(cursor: Cursor) -> None:
    """Add a column that is not declared, with a default that writes no row; drop it if it is there."""
    cursor.execute("select 1 from pg_attribute where attrelid = 'document'::regclass and attname = 'colour' and not attisdropped")
    cursor.execute(
        "alter table document drop column colour" if cursor.fetchone() else "alter table document add column colour text default 'red'"
    )


def freeze(cursor: Cursor) -> None:
    """Freeze every row."""
    cursor.execute(f"vacuum (freeze) account, entry, document, setting, ledger, event, {ODD_TABLE}")


def swap_table(cursor: Cursor) -> None:
    """Put a copy of a table with older and other rows in its place."""
    cursor.execute("create table ledger_new (like ledger including all)")
    cursor.execute("insert into ledger_new overriding system value select ledger_id, at, 42, changed_at from ledger")
    cursor.execute("begin; drop table ledger; alter table ledger_new rename to ledger; commit")


def write_with_origin(cursor: Cursor) -> None:
    """Write as a replica of another server does."""
    cursor.execute("select pg_replication_origin_create('elsewhere') where not exists (select from pg_replication_origin)")
    cursor.execute("select pg_replication_origin_session_setup('elsewhere')")
    cursor.execute("update account set balance = 77 where account_id in (select account_id from account limit 3)")
    cursor.execute("insert into setting (name, value) values ('from elsewhere', random()) on conflict (name) do update set value = 'again'")
    cursor.execute("select pg_replication_origin_session_reset()")


def write_without_triggers(cursor: Cursor) -> None:
    """Write as tools that restore dumps do: no trigger, no cascade."""
    cursor.execute("set session_replication_role = replica")
    cursor.execute("delete from account where account_id in (select account_id from account limit 2)")
    cursor.execute("update entry set text = 'restored' where booked_on < '2021-01-01'")
    cursor.execute("set session_replication_role = origin")


def drop_slot(cursor: Cursor) -> None:
    """Drop the replication slot, if there is one."""
    cursor.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s and not active", (_SLOT,))


def recreate_slot(cursor: Cursor) -> None:
    """Drop the replication slot and make one of the same name that begins now."""
    drop_slot(cursor)
    cursor.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", (_SLOT,))


def advance_slot(cursor: Cursor) -> None:
    """Let somebody else consume the replication slot's changes."""
    cursor.execute(
        "select pg_replication_slot_advance(slot_name, pg_current_wal_insert_lsn()) from pg_replication_slots where slot_name = %s",
        (_SLOT,),
    )


def lose_connections(cursor: Cursor) -> None:
    """End every connection of a sync at this server."""
    cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'runmart%'")


# What may come at any moment of a soak; the rest changes what a snapshot shows after it was taken, and has tests of its own.
_OF_YEARS = (attach_filled, attach, detach, detach_concurrently, change_while_detached, drop_partition)
_OF_TABLES = (
    *(truncate_leaf, truncate_plain, truncate_and_refill, vacuum_full, cluster, add_column, freeze),
    *(write_with_origin, write_without_triggers, lose_connections),
)
_OF_SLOTS = (advance_slot, recreate_slot)


def disturbing(url: str, seed: str, has_slot: bool, pause_seconds: float) -> AbstractContextManager[None]:
    """Hazards at random moments, in a process of their own, until the end of the block."""
    return beside(partial(_disturb, url, seed, has_slot, pause_seconds))


def _disturb(url: str, seed: str, has_slot: bool, pause_seconds: float, stopped: Event) -> None:
    dice = random.Random(f"hazards {seed}")  # noqa: S311
    while not stopped.wait(dice.random() * 2 * pause_seconds):
        of_year, of_all = dice.choice(_OF_YEARS), dice.choice((*_OF_TABLES, *(_OF_SLOTS if has_slot else ())))
        # What is refused, because the table is not there or a lock not to be had in time, did not happen.
        with suppress(psycopg2.Error), closing(psycopg2.connect(url, application_name="hazard")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("set lock_timeout = '1s'")
                if dice.random() < 0.4:
                    of_year(cursor, dice.choice(LOOSE_YEARS))
                else:
                    of_all(cursor)
