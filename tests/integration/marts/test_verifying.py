"""Holding published marts against raw: what differs is found and named, what later batches have touched is no difference."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import psycopg2
import pytest

from dagster_project.marts.definition import definition
from dagster_project.marts.postgres.verifying import NotVerifiable, Verifying
from dagster_project.marts.verification import CHECK, Verification
from tests.histories.history import History, together
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import refresh


def verify(house: House, groups: int | None = None, marts: Sequence[str] = ()) -> dict[str, Verification]:
    """What is found of these marts, or of all."""
    with closing(psycopg2.connect(house.warehouse_url, options="-c role=runmart_transform")) as connection, connection.cursor() as cursor:
        wanted = marts or [mart.name for mart in house.plan.marts]
        return {one.mart: one for one in Verifying(cursor, house.plan, definition(), groups).verify(wanted)}


@pytest.fixture(scope="module")
def refreshed_once(house: House) -> Iterator[House]:
    """A house all of whose marts have rows, from an incremental refresh."""
    histories: dict[str, list[History]] = {}
    for system in house.contracts:
        with house.changing(system):
            histories[system] = [house.history(number, seed=number) for number in range(1, 9)]
    for _ in range(2):
        for system, changing in histories.items():
            with house.changing(system):
                house.fill(together(changing))
            for history in changing:
                history.step(share=0.2)
        refresh(house)
    house.keep()
    yield house
    house.empty_others()


@pytest.fixture
def refreshed(refreshed_once: House) -> House:
    refreshed_once.reset()
    return refreshed_once


@pytest.mark.parametrize("groups", [None, 2])
def test_what_is_published_is_what_raw_makes(refreshed: House, groups: int | None) -> None:
    found = verify(refreshed, groups)
    assert {mart: one.sample for mart, one in found.items() if not one.is_right} == {}
    assert {mart for mart, one in found.items() if not one.rows} <= (set() if groups is None else {*found})
    # Of a mart that has rows of several systems, as many of each.
    several = {mart: max(1, len(refreshed.plan.families_of(mart))) for mart in found}
    assert all(one.groups is None or one.groups <= groups * several[mart] for mart, one in found.items() if groups)


def test_any_row_that_differs_is_found_and_named(refreshed: House) -> None:
    """In each mart by itself: a mart that follows another is held against that one as it is published."""
    for mart in refreshed.plan.marts:
        with closing(psycopg2.connect(refreshed.warehouse_url)) as connection, connection.cursor() as cursor:
            table = ".".join(refreshed.plan.published(mart.name))
            cursor.execute(f"delete from {table} where ctid = (select min(ctid) from {table})")
            (one,) = Verifying(cursor, refreshed.plan, definition(), None).verify([mart.name])
        assert one.differing >= 1, mart.name
        assert any(not each.is_published for each in one.sample), mart.name


def test_group_that_raw_has_no_longer_is_looked_at(refreshed: House) -> None:
    refreshed.warehouse("insert into analytics.registry_timeline (registry_id, stage_key) values (999999999, 'x')")
    (one,) = verify(refreshed, marts=["registry_timeline"]).values()
    assert [(each.is_published, "999999999" in each.row) for each in one.sample] == [(True, True)]


def test_what_later_batches_have_touched_is_no_difference(refreshed: House) -> None:
    refreshed.source("update experiments set experiment_name = 'another'")
    refreshed.sync()
    found = verify(refreshed)
    assert {mart: one.sample for mart, one in found.items() if not one.is_right} == {}
    assert found["experiment_summary"].rows == 0


def test_nothing_is_left_behind(refreshed: House) -> None:
    relations = "select count(*) from pg_class where relnamespace <> all (select oid from pg_namespace where nspname like 'pg_%%')"
    before = refreshed.warehouse(relations)
    verify(refreshed)
    assert refreshed.warehouse(relations) == before


def test_mart_that_differs_is_not_published_again_until_it_is_repaired(refreshed: House) -> None:
    verdict = (
        "insert into quality.validation_results (run_id, asset_key, suite, expectation, severity, is_success)"
        f" values ('run', 'analytics/fct_runs', 'analytics.fct_runs', '{CHECK}', 'critical', %s)"
    )
    refreshed.warehouse(verdict, False)
    refreshed.source("update runs set status = 'failed'")
    refreshed.sync()
    assert refreshed.try_build(flags=["--exclude-resource-type", "test"]) == (
        "what is published of fct_runs is not what raw makes; run `runmart verify --repair`"
    )
    assert refreshed.try_build("metric_summary", flags=["--exclude-resource-type", "test"]) == ""
    refresh(refreshed, "--full-refresh")
    refreshed.warehouse(verdict, True)
    refresh(refreshed)


def test_marts_of_another_project_cannot_be_verified(refreshed: House) -> None:
    refreshed.warehouse("update ops.refreshes set definition = 'another'")
    with pytest.raises(NotVerifiable, match="run `runmart refresh` first"):
        verify(refreshed)
