"""Analysts at their dashboards: many connections, each of which asks a query, reads the answer, and asks the next a while later.

Belongs here: asking, and what came of it. Does not belong here: what else the server does meanwhile (`readers`).
"""

import itertools
import multiprocessing
import random
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event

import psycopg2

from benchmarks.dashboards import FRESHNESS, QUERIES


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


class Analysts:
    """So many analysts, in a process of their own; work for `tests.beside`."""

    def __init__(self, url: str, number: int, pause_seconds: float) -> None:
        """Who they log in as, and how long each waits between two queries on average."""
        self._url = url
        self._number = number
        self._pause = pause_seconds
        self._found = multiprocessing.get_context("fork").SimpleQueue()

    def __call__(self, stopped: Event) -> None:
        """Ask until told to end."""
        answers, must_end = Answers(), threading.Event()
        threads = [threading.Thread(target=self._ask, args=(number, must_end, answers)) for number in range(self._number)]
        for thread in threads:
            thread.start()
        stopped.wait()
        must_end.set()
        for thread in threads:
            thread.join()
        self._found.put(answers)

    def answers(self) -> Answers:
        """What they were told; to be asked for once, when they have ended."""
        found: Answers = self._found.get()
        return found

    def _ask(self, number: int, must_end: threading.Event, answers: Answers) -> None:
        pauses = random.Random(number)  # noqa: S311
        queries = itertools.islice(itertools.cycle(QUERIES.values()), number % len(QUERIES), None)
        try:
            with closing(psycopg2.connect(self._url)) as connection, connection.cursor() as cursor:
                connection.autocommit = True
                while not must_end.wait(pauses.uniform(0, 2 * self._pause)):
                    asked = time.monotonic()
                    cursor.execute(next(queries))
                    cursor.fetchall()
                    answers.answered.append((asked, time.monotonic() - asked))
                cursor.execute(FRESHNESS)
                ((refresh,),) = cursor.fetchall()
                answers.last_refresh.append(refresh)
        except psycopg2.Error as error:
            answers.errors.append(str(error))
