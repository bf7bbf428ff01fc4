"""Histories of marts say what was published at any moment, and which batch brought it."""

from datetime import UTC, datetime

import pytest

from dagster_project.marts.plan import HISTORY
from tests.dbt_manifest import marts_of
from tests.histories.history import together
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import columns_of, refresh

REFRESHES = 4
START = datetime(2025, 1, 1, tzinfo=UTC)


def said(house: House, mart: str, relation: str = "", where: str = "true") -> list[tuple[str]]:
    """Rows as they are printed, in the columns of the mart."""
    columns = columns_of(house, mart)
    return house.warehouse(f"select row({columns})::text from analytics.{relation or mart} where {where} order by 1")


@pytest.mark.parametrize("seed", [1, 2])
def test_history_says_what_was_published_at_any_moment(house: House, seed: int) -> None:
    histories = [house.history(number, seed + number) for number in range(1, 4)]
    history_of = {mart["config"]["meta"]["history_of"]: name for name, mart in marts_of(house.manifest, "mart_history").items()}
    assert history_of
    reported = []
    for _ in range(REFRESHES):
        house.fill(together(histories))
        refresh(house)
        ((moment,),) = house.warehouse("select clock_timestamp()::text")
        reported.append((moment, {mart: said(house, mart) for mart in history_of}))
        for history in histories:
            history.step(share=0.2)
    for moment, of_marts in reported:
        as_of = f"valid_from <= '{moment}' and coalesce(valid_to > '{moment}', true)"
        assert {mart: said(house, mart, kept, as_of) for mart, kept in history_of.items()} == of_marts
    # A version is written only where a row was.
    for mart, kept in history_of.items():
        begun = f"select count(*) from analytics.{kept} as h where h.valid_from = r.published_at"
        written = f"select r.marts -> '{mart}' ->> 'inserted', ({begun}) from ops.refreshes as r where r.marts ? '{mart}'"
        assert all(int(inserted) == versions for inserted, versions in house.warehouse(f"{written} order by refresh_id desc limit 3"))


def test_restated_number_names_the_batch_that_restated_it(house: House) -> None:
    times = {"created_at": START, "updated_at": START}

    def experiment(key: int, name: str) -> dict[str, object]:
        return {"experiment_id": key, "experiment_name": name, **times}

    house.fill({"experiments": [experiment(1, "a"), experiment(2, "b"), experiment(3, "c")]})
    refresh(house)
    house.source("update experiments set experiment_name = 'a again' where experiment_id = 1")
    first = house.sync()
    house.source("update experiments set experiment_name = 'b again' where experiment_id = 2")
    second = house.sync()
    refresh(house)
    versions = house.warehouse(
        "select experiment_name, source_batch_id, valid_to is null from analytics.experiment_summary_history"
        " where valid_from >= (select max(published_at) from ops.refreshes) order by 1"
    )
    assert versions == [("a again", first, True), ("b again", second, True)]
    restated = "select experiment_id, source_batch_id from analytics.experiment_summary where source_batch_id >= %s order by 1"
    assert house.warehouse(restated, first) == [(1, first), (2, second)]


def test_history_begins_with_what_is_published_and_is_kept_as_long_as_asked(house: House) -> None:
    history = house.history(1, seed=7)
    house.fill(together([history]))
    refresh(house)
    house.warehouse("drop table analytics.experiment_summary_history cascade")
    refresh(house)
    assert said(house, "experiment_summary", "experiment_summary_history", "valid_to is null") == said(house, "experiment_summary")
    history.step(share=0.9)
    house.fill(together([history]))
    refresh(house)
    house.warehouse(
        "update analytics.experiment_summary_history"
        " set valid_from = valid_from - interval '40 days', valid_to = valid_to - interval '31 days' where valid_to is not null"
    )
    ended = "select count(*) > 0 from analytics.experiment_summary_history where valid_to is not null"
    assert house.warehouse(ended) == [(True,)]
    refresh(house)
    assert house.warehouse(ended) == [(True,)]
    with house.engine(history_days=30) as engine:
        engine.publish()
    assert house.warehouse(ended) == [(False,)]
    assert said(house, "experiment_summary", "experiment_summary_history") == said(house, "experiment_summary")


def test_version_of_a_row_that_was_lost_ends_when_the_row_is_back(house: House) -> None:
    house.fill({"experiments": [{"experiment_id": 1, "experiment_name": "a", "created_at": START, "updated_at": START}]})
    refresh(house)
    house.warehouse("delete from analytics.experiment_summary")
    refresh(house, "--full-refresh")
    house.source("update experiments set experiment_name = 'b'")
    house.sync()
    refresh(house)
    versions = house.warehouse(
        "select experiment_name, lead(valid_from) over (order by valid_from) is not distinct from valid_to"
        " from analytics.experiment_summary_history where experiment_id = 1 order by valid_from desc limit 3"
    )
    assert versions == [("b", True), ("a", True), ("a", True)]


def test_candidate_shows_what_is_kept(house: House) -> None:
    """Tests and suites read it, from the first publication on."""
    refresh(house)
    for history in house.plan.project.of_kind(HISTORY):
        if not house.is_made_of_these(history.name):
            continue
        ((shown, kept),) = house.warehouse(
            f"select (select count(*) from analytics_next.{history.name}), (select count(*) from analytics.{history.name})"
        )
        assert shown == kept > 0, history.name


def test_versions_are_found_by_an_index(house: House) -> None:
    """However many there are: without it, each publication and each test reads them all."""
    refresh(house)
    indexes = house.warehouse("select tablename from pg_indexes where schemaname = 'analytics' and indexname ~ '_versions$' order by 1")
    assert indexes == [(history.name,) for history in house.plan.project.of_kind(HISTORY)]
