"""The functions that create and archive calendar partitions."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.migrations.conftest import Database

PREDICT = (
    "insert into predictions (run_id, model_id, prediction_date, unique_id, horizon, predicted_value) values (1, 1, %s, 'airline', 1, 1)"
)
WHERE = "select tableoid::regclass::text, prediction_date from predictions where prediction_date = %s"
BOUNDS = """
select c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = %s::regclass and c.relname !~ 'default$' order by pg_get_expr(c.relpartbound, c.oid)
"""

# Text and settings of the functions that revision 0006 was released with.
DIGEST = """
select md5(string_agg(concat(proname, prosrc, proconfig), '' order by proname)) from pg_proc
where pronamespace = 'public'::regnamespace and proname ~ 'partition'
"""


def quarter(day: date) -> str:
    return f"predictions_{day.year:04d}_q{(day.month + 2) // 3}"


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("predictions", {f"predictions_{year}_q{number}" for year in (2025, 2026) for number in range(1, 5)}),
        ("audit.audit_logs", {f"audit_logs_{year}_q{number}" for year in (2025, 2026) for number in range(1, 5)}),
        ("system_logs", {f"system_logs_{year}_{month:02d}" for year in (2025, 2026) for month in range(1, 13)}),
    ],
)
def test_two_years_are_there_from_the_start_without_a_gap(database: Database, table: str, names: set[str]) -> None:
    bounds = database.rows(BOUNDS, table)
    assert {name for name, _ in bounds} == names
    starts = [str(bound).split("'")[1] for _, bound in bounds]
    ends = [str(bound).split("'")[3] for _, bound in bounds]
    assert (starts[0], ends[-1]) == ("2025-01-01 00:00:00", "2027-01-01 00:00:00")
    assert starts[1:] == ends[:-1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.datetimes(datetime.fromisoformat("0001-01-01"), datetime.fromisoformat("9999-12-31")), days=st.integers(0, 400))
def test_any_date_can_be_stored_and_moves_to_the_partition_of_its_quarter(filled: Database, moment: datetime, days: int) -> None:
    filled.rows("delete from predictions where prediction_date = %s", moment)
    filled.rows(PREDICT, moment)
    assert len(filled.rows(WHERE, moment)) == 1
    last = min(moment.date(), date(9999, 12, 31) - timedelta(days=days)) + timedelta(days=days)
    filled.rows("select create_partitions('predictions', %s, %s)", moment.date(), last)
    assert filled.rows(WHERE, moment) == [(quarter(moment.date()), moment)]
    assert filled.value("select create_partitions('predictions', %s, %s)", moment.date(), last) == 0


def test_rows_leave_default_filled_and_others_stay(filled: Database) -> None:
    for day in ("1949-03-31 23:59:59.999999", "1949-04-01", "1949-06-30 23:59:59.999999", "1949-07-01"):
        filled.rows(PREDICT, day)
    before = filled.rows("select * from predictions order by prediction_id")
    assert filled.value("select create_partitions('predictions', '1949-05-01', '1949-05-01')") == 1
    assert filled.rows("select * from predictions order by prediction_id") == before
    assert filled.rows("select prediction_date::text from predictions_1949_q2 order by 1") == [
        ("1949-04-01 00:00:00",),
        ("1949-06-30 23:59:59.999999",),
    ]
    assert filled.value("select count(*) from predictions_default") == 3


def test_partitions_created_with_gaps_close_up(database: Database) -> None:
    assert database.value("select create_partitions('system_logs', '2020-01-15', '2020-01-15')") == 1
    assert database.value("select create_partitions('system_logs', '2020-04-01', '2020-04-30')") == 1
    assert database.value("select create_partitions('system_logs', '2019-12-31', '2020-05-01')") == 4
    assert database.value("select create_partitions('audit.audit_logs', '2024-02-29', '2024-02-29')") == 1
    assert database.value("select to_regclass('audit.audit_logs_2024_q1') is not null") is True


def test_future_partitions_cover_the_coming_periods_of_every_table(database: Database) -> None:
    database.rows("select create_future_partitions(8)")
    for table, column, step in (
        ("predictions", "prediction_date", "3 months"),
        ("system_logs", "created_at", "1 month"),
        ("audit.audit_logs", "created_at", "3 months"),
    ):
        (last,) = database.rows(BOUNDS, table)[-1:]
        end = str(last[1]).split("'")[3]
        assert database.value(f"select %s::timestamp > localtimestamp + 8 * interval '{step}'", end) is True, column
    assert database.value("select create_future_partitions(8)") == 0


def test_partitions_that_end_before_a_day_go_to_the_archive(filled: Database) -> None:
    filled.rows("select create_partitions('predictions', '1949-01-01', '1949-12-31')")
    filled.rows(PREDICT, "1949-04-01")
    assert filled.value("select archive_partitions('predictions', '1949-06-30')") == 1
    assert filled.rows("select unique_id, prediction_date::date, predicted_value from archive.predictions_1949_q1") == [
        ("airline", date(1949, 2, 1), 118.0)
    ]
    assert filled.rows("select prediction_date::date from predictions") == [(date(1949, 4, 1),)]
    assert filled.value("select archive_partitions('predictions', '1949-06-30')") == 0
    filled.rows("delete from experiments")
    assert filled.value("select count(*) from archive.predictions_1949_q1") == 1


def test_late_rows_of_an_archived_quarter_join_it(filled: Database) -> None:
    for _ in range(2):
        filled.rows(PREDICT, "1949-02-01")
        assert filled.value("select create_partitions('predictions', '1949-02-01', '1949-02-01')") == 1
        assert filled.value("select archive_partitions('predictions', '1949-04-01')") == 1
    assert filled.value("select count(*) from archive.predictions_1949_q1") == 3
    assert filled.value("select count(*) from predictions") == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("create_partitions('runs', '2025-01-01', '2025-12-31')", "public.runs has no calendar partitions"),
        ("archive_partitions('runs', '2025-01-01')", "public.runs has no calendar partitions"),
        ("create_partitions('predictions', '2025-12-31', '2025-01-01')", "no days from 2025-12-31 to 2025-01-01"),
        ("create_partitions('predictions', '2025-12-31', null)", "no days from 2025-12-31 to NULL"),
    ],
)
def test_bad_call_is_refused_by_name(filled: Database, call: str, message: str) -> None:
    with pytest.raises(psycopg2.errors.RaiseException, match=message):
        filled.rows(f"select {call}")


def test_a_stray_table_under_a_partitions_name_is_not_taken_for_it(database: Database) -> None:
    database.rows("create table predictions_1949_q1 (mine text)")
    with pytest.raises(psycopg2.errors.DuplicateTable):
        database.rows("select create_partitions('predictions', '1949-01-01', '1949-01-01')")


def test_functions_are_those_that_were_released(database: Database) -> None:
    """A database that was migrated before has these; whoever wants others adds a revision."""
    assert database.value(DIGEST) == "dfe70ca2df8f3fb26d0e8b8247fa3ca3"


def test_concurrent_calls_and_writers_lose_nothing(own: Database) -> None:
    first = datetime.fromisoformat("1950-01-15")
    moments = [first + timedelta(days=30 * number) for number in range(40)]
    created: list[object] = []
    failures: list[Exception] = []

    def run(work: Callable[[Database], None]) -> None:
        connection = Database(own.url)
        try:
            work(connection)
        except psycopg2.Error as error:
            failures.append(error)
        finally:
            connection.close()

    def create(connection: Database) -> None:
        created.append(connection.value("select create_partitions('predictions', '1950-01-01', '1953-12-31')"))

    def write(connection: Database) -> None:
        for moment in moments:
            connection.rows(PREDICT, moment)

    threads = [threading.Thread(target=run, args=(work,)) for work in (write, create, create, write, create)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(created, key=str) == [0, 0, 16]
    rows = own.rows("select tableoid::regclass::text, prediction_date from predictions where prediction_date >= '1950-01-01' order by 2")
    assert rows == [(quarter(moment.date()), moment) for moment in moments for _ in range(2)]
