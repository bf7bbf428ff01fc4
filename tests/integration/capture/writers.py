"""Writers: what applications do to a source while it is copied.

Belongs here: random transactions on the tables of `tables`, alone (`Writer`) or many at once in a process of their own (`writing`). Does
not belong here: changes of schema and servers (`hazards`).
"""

import itertools
import random
import threading
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from tests.beside import beside
from tests.integration.capture.tables import FIXED_YEARS, LOOSE_YEARS, ODD_TABLE

# Clocks of applications differ: what a row says of its time is no order.
_SKEWED = "now() + (random() - 0.5) * interval '20 seconds'"
_A_DAY = "make_date(%(year)s, 1, 1) + (random() * 360)::int"
_SOME = "order by random() limit greatest(1, (select count(*) from {0}) / %(share)s)"


def _some(table: str, key: str) -> str:
    return f"({key}) in (select {key} from {table} {_SOME.format(table)})"


_ENTRY_KEY, _ODD_KEY = "entry_id, booked_on", '"Größe %%s", "Line No"'
_ANY_ACCOUNT = "(select account_id from account order by random() limit 1)"

# Weight, statement. In-place updates leave changed_at alone half of the time; deletes take a share of what is there, so that sizes settle.
STATEMENTS: tuple[tuple[int, str], ...] = (
    (
        6,
        f"""
        insert into account (name, mood, size, balance, ratio, note, secret, changed_at)
        select 'account ' || n, (array['calm', 'wild', 'grim', null])[1 + (random() * 3)::int]::mood, 1 + n, random()::numeric(9, 4),
            (array['NaN', '-0', 'Infinity', '1e-300'])[1 + (random() * 3)::int]::double precision,
            case when random() < 0.2 then repeat(md5(random()::text), 150) end, 'hidden', {_SKEWED}
        from generate_series(1, %(few)s) as n
        """,
    ),
    (5, f"update account set balance = 'NaN', mood = 'grim' where {_some('account', 'account_id')}"),
    (5, f"update account set size = 1 + %(number)s, changed_at = {_SKEWED} where {_some('account', 'account_id')}"),
    (4, f"delete from account where {_some('account', 'account_id')}"),
    (
        10,
        f"""
        insert into entry (booked_on, account_id, amount, ratio, text, changed_at)
        select {_A_DAY}, {_ANY_ACCOUNT}, random() * 1000, random(), 'entry ' || n, {_SKEWED} from generate_series(1, %(few)s) as n
        """,
    ),
    (5, f"update entry set booked_on = {_A_DAY} where {_some('entry', _ENTRY_KEY)}"),
    (5, f"update entry set amount = random() * 100, text = null where {_some('entry', _ENTRY_KEY)}"),
    (5, f"delete from entry where {_some('entry', _ENTRY_KEY)}"),
    (
        4,
        f"""
        insert into document (account_id, body, picture, labels, moods, content, original, changed_at)
        select {_ANY_ACCOUNT}, (select string_agg(md5(random()::text), '') from generate_series(1, 200 + n)), '\\x00ff0a',
            array['a', null, '"'], array['calm', null]::mood[], '{{"b": 1.0, "a": [null]}}', '{{"b": 1.0,  "a": [null]}}', {_SKEWED}
        from generate_series(1, %(few)s) as n
        """,
    ),
    (5, f"update document set labels = array[%(number)s::text] where {_some('document', 'document_id')}"),
    (3, f"update document set body = repeat(md5(random()::text), 120) where {_some('document', 'document_id')}"),
    (2, f"update document set document_id = gen_random_uuid() where {_some('document', 'document_id')}"),
    (3, f"delete from document where {_some('document', 'document_id')}"),
    (
        6,
        f"""
        insert into setting (name, value, valid_until, score, limits, changed_at)
        select 'name ' || (random() * 300)::int, 'value', 'infinity', 'NaN', array['NaN', 1.50]::numeric[], {_SKEWED}
        on conflict (name) do update set value = 'again ' || %(number)s, valid_until = '-infinity'
        """,
    ),
    (4, f"update setting set name = name || '''' || %(number)s where {_some('setting', 'name')}"),
    (3, f"delete from setting where {_some('setting', 'name')}"),
    (
        5,
        f"""
        insert into {ODD_TABLE.replace("%", "%%")} select n, 'größe ' || %(number)s, n * interval '1 month 1 hour', b'101', {_SKEWED}
        from generate_series(1, %(few)s) as n on conflict do nothing
        """,
    ),
    (3, f'update {ODD_TABLE.replace("%", "%%")} set "select" = null where {_some(ODD_TABLE.replace("%", "%%"), _ODD_KEY)}'),
    (3, f"delete from {ODD_TABLE.replace('%', '%%')} where {_some(ODD_TABLE.replace('%', '%%'), _ODD_KEY)}"),
    (6, f"insert into ledger (at, delta, changed_at) select now(), 'NaN', {_SKEWED} from generate_series(1, %(few)s)"),
    (4, f"update ledger set delta = coalesce(nullif(delta, 'NaN'), 0) + 1.0 where {_some('ledger', 'ledger_id')}"),
    (4, f"delete from ledger where {_some('ledger', 'ledger_id')}"),
    (4, "insert into event select (array['a', 'b'])[1 + n %% 2], '2024-01-01', n, null from generate_series(1, %(few)s) as n"),
    (2, "update event set weight = %(few)s where ctid in (select ctid from event order by random() limit 2)"),
    (3, f"delete from event where ctid in (select ctid from event {_SOME.format('event')})"),
)

_WEIGHTS = [weight for weight, _ in STATEMENTS]


@dataclass(frozen=True)
class Habits:
    """How writers behave.

    Attributes:
        threads: How many write at once.
        held_share: Share of transactions that stay open for long.
        held_seconds: How long those stay open, at least and at most.
        pause_seconds: Between two transactions, at most.
    """

    threads: int = 4
    held_share: float = 0.06
    held_seconds: tuple[float, float] = (2.0, 5.0)
    pause_seconds: float = 0.03


class Writer:
    """One application: a random transaction at a time over one connection.

    Args:
        connection: Its connection.
        name: Its name, by which it finds again what it prepared in an earlier life.
        habits: How it behaves.
        life: Which of its lives this is; name and life are the seed.
    """

    def __init__(self, connection: Connection, name: str, habits: Habits, life: int = 1) -> None:
        connection.autocommit = True
        self._connection = connection
        self._habits = habits
        self._random = random.Random(f"{name} {life}")  # noqa: S311
        self._name = f"{name} "
        self._stopped = threading.Event()

    def write(self, transactions: int = 1) -> None:
        """Do some transactions; what the source refuses is rolled back, as applications do.

        Raises:
            psycopg2.OperationalError: The connection was lost.
        """
        for _ in range(transactions):
            try:
                self._transaction()
            except psycopg2.OperationalError:
                if self._connection.closed:
                    raise
                self._rollback()
            except psycopg2.Error:
                self._rollback()

    def write_until(self, stopped: "threading.Event | Event") -> None:
        """Do transactions until told to stop or the connection is lost."""
        while not stopped.is_set():
            self.write()
            self._wait(self._random.random() * self._habits.pause_seconds)

    def finish_prepared(self) -> None:
        """End what an earlier life of this writer prepared and did not end."""
        with self._connection.cursor() as cursor:
            cursor.execute("select gid from pg_prepared_xacts where starts_with(gid, %s) and database = current_database()", (self._name,))
            for (gid,) in cursor.fetchall():
                cursor.execute(f"{self._random.choice(('commit', 'rollback'))} prepared %s", (gid,))

    def _transaction(self) -> None:
        dice = self._random
        with self._connection.cursor() as cursor:
            cursor.execute("begin")
            for _ in range(dice.choice((1, 1, 2, 5))):
                self._statement(cursor)
            if dice.random() < self._habits.held_share:
                self._wait(dice.uniform(*self._habits.held_seconds))
                self._statement(cursor)
            self._end(cursor)

    def _end(self, cursor: Cursor) -> None:
        ending = self._random.random()
        if ending < 0.05:
            gid = f"{self._name}{self._random.random()}"
            cursor.execute("prepare transaction %s", (gid,))
            self._wait(self._random.uniform(0, self._habits.held_seconds[0] / 2 if self._habits.held_share else 0))
            cursor.execute(f"{self._random.choice(('commit', 'rollback'))} prepared %s", (gid,))
        else:
            cursor.execute("rollback" if ending < 0.13 else "commit")

    def _statement(self, cursor: Cursor) -> None:
        if self._random.random() < 0.8:
            self._execute(cursor)
            return
        cursor.execute("savepoint here")
        self._execute(cursor)
        cursor.execute(self._random.choice(("rollback to savepoint here", "release savepoint here")))

    def _execute(self, cursor: Cursor) -> None:
        dice = self._random
        (statement,) = dice.choices([statement for _, statement in STATEMENTS], _WEIGHTS)
        year = dice.choice((*FIXED_YEARS * 4, *LOOSE_YEARS))
        cursor.execute(statement, {"few": dice.randint(1, 6), "number": dice.randint(1, 10**6), "share": 50, "year": year})

    def _rollback(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("rollback")

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stopped.wait(seconds)


def fill(url: str, seed: str, transactions: int = 150) -> None:
    """Let one writer do some transactions, those that meet locked rows rolled back, and end."""
    with closing(psycopg2.connect(url, application_name="writer", options="-c lock_timeout=100ms")) as connection:
        Writer(connection, seed, Habits(held_share=0)).write(transactions)


def writing(url: str, seed: str, habits: Habits) -> AbstractContextManager[None]:
    """Writers in a process of their own, so that they neither share our interpreter nor are forked with it; at the end nothing is open."""
    return beside(partial(_write, url, seed, habits))


def _write(url: str, seed: str, habits: Habits, stopped: Event) -> None:
    threads = [threading.Thread(target=_live, args=(url, f"{seed}-{n}", habits, stopped)) for n in range(habits.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _live(url: str, name: str, habits: Habits, stopped: Event) -> None:
    """Write, come back after a lost connection or a crash, end with nothing open."""
    for life in itertools.count(1):
        with (
            suppress(psycopg2.OperationalError, psycopg2.InterfaceError),
            closing(psycopg2.connect(url, application_name="writer")) as link,
        ):
            writer = Writer(link, name, habits, life)
            writer.finish_prepared()
            writer.write_until(stopped)
            return
        stopped.wait(0.05)
