"""Analysts at their dashboards: many connections, each of which asks a query, reads the answer, and asks the next a while later.

Belongs here: asking, and what came of it. Does not belong here: what else the server does meanwhile (`readers`).
"""

import itertools
import random
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import psycopg2

from benchmarks.dashboards import FRESHNESS, QUERIES
from tests.beside import Crowd


@dataclass
class Answers:
    """What analysts were told; lists and counters, because threads add to these without a lock.

    Attributes:
        answered: When each query was asked, by `time.monotonic`, and the seconds until its last row was read.
        errors: Queries and connections that failed, with the reason.
        last_refresh: The refresh that each analyst saw last, asked when everybody had been told to end.
    """

    answered: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    last_refresh: list[int] = field(default_factory=list)

    def seconds(self, begin: float, end: float) -> list[float]:
        """How long the answers took to queries that were asked between two moments, in order of length."""
        return sorted(seconds for asked, seconds in self.answered if begin <= asked < end)

    def reasons(self) -> dict[str, int]:
        """How often each error came."""
        return dict(Counter(self.errors))


def analysts(url: str, number: int, pause_seconds: float) -> Crowd[Answers]:
    """So many analysts, for `tests.beside`: who they log in as, and how long each waits between two queries on average."""
    return Crowd(number, partial(_ask, url, pause_seconds), Answers())


def _ask(url: str, pause_seconds: float, number: int, must_end: threading.Event, answers: Answers) -> None:
    pauses = random.Random(number)  # noqa: S311
    queries = itertools.islice(itertools.cycle(QUERIES.values()), number % len(QUERIES), None)
    try:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not must_end.wait(pauses.uniform(0, 2 * pause_seconds)):
                asked = time.monotonic()
                cursor.execute(next(queries))
                cursor.fetchall()
                answers.answered.append((asked, time.monotonic() - asked))
            cursor.execute(FRESHNESS)
            ((refresh,),) = cursor.fetchall()
            answers.last_refresh.append(refresh)
    except psycopg2.Error as error:
        answers.errors.append(str(error))
