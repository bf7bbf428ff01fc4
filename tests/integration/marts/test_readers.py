"""Fifty readers loop over joined marts while marts are refreshed again and again, some refreshes failing their checks."""

import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import psycopg2
import pytest

from benchmarks.analysts import analysts
from benchmarks.dashboards import FRESHNESS, QUERIES
from tests.beside import Crowd, beside
from tests.databases import run
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import refresh
from tests.waiting import until

READERS = 50
ANALYSTS = 200
REFRESHES = 30
# Every so manyth refresh finds a status in raw that no test lets through.
FAILS_EVERY = 5

# What readers join: every mart that shows the experiment's name, and the refresh that is published.
# Planned once: fifty readers that plan such a query again and again leave nothing of two cores.
PREPARE = """
prepare joined as
select distinct summary.experiment_name, runs.group_name, model.experiment_name, dropin.experiment_name, board.refresh_id
from analytics.experiment_summary as summary
inner join analytics.fct_runs as runs on runs.group_id = summary.experiment_id::text
inner join analytics.model_performance as model on model.experiment_id = summary.experiment_id
inner join analytics.mv_experiment_summary as dropin on dropin.experiment_id = summary.experiment_id
cross join (select max(refresh_id) as refresh_id from analytics.refreshes) as board
"""


@dataclass
class Readings:
    """What readers have seen.

    Attributes:
        seen: How often each answer came: the rows of one query.
        errors: How often each error came; a wait for a lock of over 100 ms is one.
    """

    seen: Counter[tuple[tuple[object, ...], ...]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def read(url: str, _number: int, must_end: threading.Event, readings: Readings) -> None:
    """Read until told to end."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("set role runmart_analyst; set lock_timeout = '100ms'")
        is_prepared = False
        while not must_end.wait(0.3):
            try:
                if not is_prepared:
                    cursor.execute(PREPARE)
                    is_prepared = True
                cursor.execute("execute joined")
                readings.seen[tuple(cursor.fetchall())] += 1
            except psycopg2.Error as error:
                readings.errors[str(error)] += 1


def readers(url: str, number: int) -> Crowd[Readings]:
    """So many readers, for `beside`."""
    return Crowd(number, partial(read, url), Readings())


def test_readers_never_notice_a_refresh(house: House) -> None:
    started = datetime(2025, 1, 1, tzinfo=UTC)
    run = {"experiment_id": 1, "run_name": "r", "status": "completed", "start_time": started, "created_at": started, "updated_at": started}
    model = {"model_name": "m", "model_type": "Theta", "framework": "sklearn", "model_config": {}, "model_file_path": "/dev/null"}

    def fill(name: str) -> None:
        house.fill(
            {
                "experiments": [{"experiment_id": 1, "experiment_name": name, "created_at": started, "updated_at": started}],
                "runs": [{"run_id": key, "run_fingerprint": f"{key:064x}", **run} for key in (1, 2)],
                "models": [{"model_id": 1, "run_id": 1, "created_at": started, "updated_at": started, **model}],
            }
        )

    fill("state 0")
    house.build()
    published = {house.warehouse("select max(refresh_id) from analytics.refreshes")[0][0]: "state 0"}
    crowd = readers(house.warehouse_url, READERS)
    with beside(crowd):
        for number in range(1, REFRESHES + 1):
            fill(f"state {number}")
            if number % FAILS_EVERY == 0:
                house.warehouse("update raw_forecast_tracking.runs set status = 'paused' where run_id = 2")
                assert house.try_build()
                house.warehouse("update raw_forecast_tracking.runs set status = 'completed' where run_id = 2")
            else:
                refresh(house)
                published[house.warehouse("select max(refresh_id) from analytics.refreshes")[0][0]] = f"state {number}"
    readings = crowd.seen()
    assert not readings.errors
    one_state = {((state, state, state, state, refresh_id),) for refresh_id, state in published.items()}
    assert {rows for rows in readings.seen if rows not in one_state} == set()
    # They were there: each state was seen but perhaps the last one.
    assert len(readings.seen) >= len(published) - 1
    assert len(published) == 1 + REFRESHES - REFRESHES // FAILS_EVERY


def test_two_hundred_analysts_are_served_while_a_refresh_is_published(house: House) -> None:
    """Logged in as analysts are, at their dashboards; the platform has connections left. How long they wait is measured by a benchmark."""
    started = datetime(2025, 1, 1, tzinfo=UTC)
    experiment = {"experiment_id": 1, "experiment_name": "first", "created_at": started, "updated_at": started}
    house.fill({"experiments": [experiment]})
    house.build()
    house.warehouse(f"alter role runmart_analyst connection limit {ANALYSTS}")
    url = house.warehouse_url.replace("postgres@", "runmart_analyst@")
    for query in QUERIES.values():
        run(url, query)
    crowd = analysts(url, ANALYSTS, pause_seconds=1)
    with beside(crowd):
        until(
            lambda: house.warehouse("select count(*) from pg_stat_activity where usename = 'runmart_analyst'") == [(ANALYSTS,)], seconds=60
        )
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            psycopg2.connect(url).close()
        for name in ("second", "third", "fourth"):
            house.fill({"experiments": [{**experiment, "experiment_name": name}]})
            refresh(house)
        ((published,),) = house.warehouse(FRESHNESS)
    answers = crowd.seen()
    assert answers.errors == []
    assert answers.last_refresh == [published] * ANALYSTS
    assert len(answers.answered) > ANALYSTS
    assert house.warehouse("select experiment_name from analytics.experiment_summary") == [("fourth",)]


@pytest.mark.parametrize("statement", ["truncate analytics.fct_runs", "create or replace view analytics.mv_experiment_summary as {view}"])
def test_other_ways_to_publish_would_be_noticed(house: House, statement: str) -> None:
    """What the readers' lock timeout is there for: statements that take an exclusive lock make them wait."""
    (view,) = house.warehouse("select pg_get_viewdef('analytics.mv_experiment_summary'::regclass)")[0]
    with closing(psycopg2.connect(house.warehouse_url)) as publisher, publisher.cursor() as cursor:
        cursor.execute(statement.format(view=view))
        reader = readers(house.warehouse_url, number=1)
        with beside(reader):
            until(
                lambda: (
                    house.warehouse(
                        "select count(*) > 0 from pg_stat_activity"
                        " where query like '%%prepare joined%%' and pid <> pg_backend_pid() and state = 'idle'"
                    )
                    == [(True,)]
                )
            )
        publisher.rollback()
    assert any("lock timeout" in error for error in reader.seen().errors)
