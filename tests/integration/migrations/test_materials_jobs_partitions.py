"""Partitions of job runs, to which files and results refer: no row that refers is lost, and no reference, whatever is made or archived."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from alembic import command
from psycopg2 import errors

from migrations.run import config
from tests.integration.migrations.conftest import Database
from tests.partitions import fill
from tests.waiting import until

ADD_RUN_WITH_RESULTS = """
with run as (
    insert into app.job_runs (job_id, run_number, status, created_at) values (1, %s, 'success', %s) returning id, created_at
), file as (
    insert into app.files (job_run_id, job_run_created_at, name, storage_path) select id, created_at, 'log', 'log.txt' from run
)
insert into app.vasp_results (job_run_id, job_run_created_at) select id, created_at from run
"""
MAKE = "select create_partitions('app.job_runs', '2031-01-01', '2031-03-31')"
PLACES = "select run_number, tableoid::regclass::text from app.job_runs where run_number > 1 order by 1"
FOREIGN_KEYS = """
select conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated from pg_constraint
where contype = 'f' and conparentid = 0 order by 1, 2
"""


@pytest.fixture
def late(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> Database:
    """A database with runs, and results that refer to them, of three months that have no partition yet."""
    url = new_database("materials_jobs")
    fill("materials_jobs", url)
    late = connect(url)
    for number, moment in enumerate(("2031-01-15Z", "2031-02-15Z", "2031-02-16Z", "2031-05-15Z"), start=2):
        late.rows(ADD_RUN_WITH_RESULTS, number, moment)
    assert {place for _, place in late.rows(PLACES)} == {"app.job_runs_default"}
    return late


def everything(database: Database) -> dict[object, list[tuple[object, ...]]]:
    """All rows of all tables."""
    tables = database.rows(
        "select oid::regclass::text from pg_class where relkind in ('r', 'p') and not relispartition"
        " and relnamespace in ('app'::regnamespace, 'audit'::regnamespace)"
    )
    return {table: database.rows(f"select to_jsonb(t) from {table} as t order by 1") for (table,) in tables}


def test_rows_that_refer_to_late_runs_stay_and_still_refer(late: Database) -> None:
    before, keys = everything(late), late.rows(FOREIGN_KEYS)
    assert late.value(MAKE) == 3
    assert everything(late) == before
    assert late.rows(FOREIGN_KEYS) == keys
    assert late.rows(PLACES) == [
        (2, "app.job_runs_2031_01"),
        (3, "app.job_runs_2031_02"),
        (4, "app.job_runs_2031_02"),
        (5, "app.job_runs_default"),
    ]
    command.check(config("materials_jobs", late.url))
    with pytest.raises(errors.ForeignKeyViolation):
        late.rows("update app.vasp_results set job_run_id = 99")
    late.rows("delete from app.job_runs where run_number in (3, 5)")
    assert late.value("select count(*) from app.vasp_results") == 3
    assert late.value("select count(*) from app.files where job_run_id is null") == 2


def test_what_fails_halfway_leaves_all_as_it_was(late: Database) -> None:
    late.rows("create table app.job_runs_2031_03 (mine text)")
    before, keys = everything(late), late.rows(FOREIGN_KEYS)
    with pytest.raises(errors.DuplicateTable):
        late.rows(MAKE)
    assert everything(late) == before
    assert late.rows(FOREIGN_KEYS) == keys
    assert {place for _, place in late.rows(PLACES)} == {"app.job_runs_default"}


@pytest.mark.parametrize("before_day", ["2025-04-01", "2031-02-01"], ids=["partition", "default"])
def test_runs_that_others_refer_to_are_not_archived(late: Database, before_day: str) -> None:
    if before_day != "2025-04-01":
        late.rows("delete from app.job_runs where run_number = 1")
    before, keys = everything(late), late.rows(FOREIGN_KEYS)
    with pytest.raises(errors.ForeignKeyViolation, match=r"removing partition .*job_runs_20(25_03|31_01).* violates foreign key"):
        late.rows("select archive_partitions('app.job_runs', %s)", before_day)
    assert everything(late) == before
    assert late.rows(FOREIGN_KEYS) == keys


def test_runs_that_nothing_refers_to_may_be_archived(late: Database) -> None:
    late.rows("delete from app.vasp_results; delete from app.files")
    assert late.value("select archive_partitions('app.job_runs', '2031-03-01')") == 24 + 2
    assert late.rows("select run_number from app.job_runs") == [(5,)]
    assert late.rows("select run_number from archive.job_runs_2031_02 order by 1") == [(3,), (4,)]
    late.rows("delete from app.jobs")
    assert late.value("select count(*) from archive.job_runs_2025_03") == 1
    command.check(config("materials_jobs", late.url))


def test_a_run_that_is_being_added_is_waited_for(late: Database, connect: Callable[[str], Database]) -> None:
    writer, creator = connect(late.url), connect(late.url)
    writer.rows("begin")
    writer.rows(ADD_RUN_WITH_RESULTS, 6, "2031-03-10Z")
    with ThreadPoolExecutor() as threads:
        created = threads.submit(creator.value, "select create_partitions('app.job_runs', '2031-03-01', '2031-03-31')")
        until(lambda: late.value("select exists (select from pg_locks where not granted)") is True)
        writer.rows("commit")
        assert created.result() == 1
    assert late.rows(PLACES)[-1] == (6, "app.job_runs_2031_03")


def test_concurrent_calls_and_writers_lose_nothing(late: Database) -> None:
    created: list[object] = []
    failures: list[Exception] = []

    def run(work: Callable[[Database], None]) -> None:
        connection = Database(late.url)
        try:
            work(connection)
        except psycopg2.Error as error:
            failures.append(error)
        finally:
            connection.close()

    def create(connection: Database) -> None:
        created.append(connection.value(MAKE))

    def write(first: int) -> Callable[[Database], None]:
        def add(connection: Database) -> None:
            for number in range(first, first + 20):
                connection.rows(ADD_RUN_WITH_RESULTS, number, f"2031-{1 + number % 3:02}-10Z")

        return add

    threads = [threading.Thread(target=run, args=(work,)) for work in (write(100), create, create, write(200), create)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(created, key=str) == [0, 0, 3]
    assert late.value("select count(*) from only app.job_runs_default where created_at < '2031-04-01Z'") == 0
    assert (
        late.value("select count(*) from app.job_runs join app.vasp_results as v on v.job_run_id = job_runs.id where run_number >= 100")
        == 40
    )
