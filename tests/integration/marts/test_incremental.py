"""Incremental refreshes: whatever changed, and whatever refreshes came before, the marts hold what a full rebuild would, bit for bit.

And they hold what the source says: that of the oracles.
"""

import os
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.dbt_manifest import models_of
from tests.histories.history import together
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import differences_along_histories, differences_from_rebuild, differences_from_source, refresh
from tests.oracles.oracles import oracles

HISTORIES = int(os.environ.get("RUNMART_TEST_HISTORIES", "40"))


def test_zombie_that_only_a_part_has_published_reaches_the_other_marts(house: House) -> None:
    started = datetime.now(UTC) - timedelta(hours=30)
    times = {"created_at": started, "updated_at": started}
    run = {"run_id": 1, "experiment_id": 1, "run_name": "r", "run_fingerprint": "a" * 64, "status": "running", "start_time": started}
    house.fill({"experiments": [{"experiment_id": 1, "experiment_name": "a", **times}], "runs": [{**run, **times}]})
    refresh(house)
    # As if the last complete refresh had been before the run became one, and a partial one of fct_runs after it.
    house.warehouse("update analytics.experiment_summary set zombie_runs = 0")
    house.warehouse("update ops.refreshes set started_at = started_at - interval '20 hours'")
    refresh(house)
    assert house.warehouse("select zombie_runs from analytics.experiment_summary") == [(1,)]


def test_execution_that_comes_back_under_another_key_has_one_row(house: House) -> None:
    """Its id, by which marts know it, is a part of its key: what goes and what comes touch the same row."""
    key = "00000000-0000-0000-0000-000000000001"
    with house.changing("pipe_service"):
        house.fill(
            {
                "organizations": [{"id": key, "name": "o"}],
                "pipelines": [{"id": key, "organization_id": key, "name": "p", "config": {}}],
                "pipeline_runs": [{"id": key, "pipeline_id": key, "status": "completed", "started_at": "2025-01-01"}],
            }
        )
        refresh(house)
        house.source("delete from pipeline_runs")
        house.source("insert into pipeline_runs (id, pipeline_id, status, started_at) values (%s, %s, 'failed', '2025-01-02')", key, key)
        house.sync()
        refresh(house)
        shown = "select status, started_on::text from analytics.fct_runs where execution_id = %s"
        assert house.warehouse(shown, key) == [("failed", "2025-01-02")]
        assert differences_from_rebuild(house) == {}
    house.empty_others()


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_incremental_refreshes_equal_a_full_rebuild(each_house: House, seed: int) -> None:
    for differences in differences_along_histories(each_house, [seed + number for number in range(HISTORIES)]):
        assert differences == {}


def test_a_row_that_is_missing_is_noticed_in_every_mart(each_house: House) -> None:
    """And every mart has one: histories reach them all."""
    house = each_house
    house.fill(together([house.history(number, seed=number) for number in range(1, 9)]))
    refresh(house)
    for mart in house.kept:
        place = f"{models_of(house.manifest)[mart]['schema']}.{mart}"
        house.warehouse(f"delete from {place} where ctid = (select min(ctid) from {place})")
    in_oracles, noticed = differences_from_source(house), differences_from_rebuild(house)
    refresh(house, "--full-refresh")
    assert {mart: [side for _, side, _ in rows] for mart, rows in noticed.items()} == {mart: ["rebuilt"] for mart in house.kept}
    with_oracle = {f"{oracle.system}: {oracle.mart}" for oracle in oracles() if oracle.system == house.system}
    assert {mart: [side for _, side, _ in rows] for mart, rows in in_oracles.items()} == {mart: ["expected"] for mart in with_oracle}
    assert differences_from_rebuild(house) == {}
