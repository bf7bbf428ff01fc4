"""Marts that tell what Runmart has recorded of files: exact also where nothing but a record has changed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.errors import LockNotAvailable

from dagster_project.demo.llm_tenant import fill_tenant
from dagster_project.marts.definition import definition
from dagster_project.marts.explanation import explain
from dagster_project.marts.postgres.engine import PostgresEngine
from dagster_project.marts.postgres.verifying import Verifying
from dagster_project.marts.refreshes import nothing_new
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import differences_from_rebuild, refresh

FOUND = "insert into quality.stored_files (system, table_name, key, batch_id, problem) values ('llm_workflow', 'artifacts', %s, 1, %s)"
OF_RUNS = "select run_id, output_files, digests_verified, digests_wrong from analytics.llm_runs where output_files > 0 order by run_id"


@pytest.fixture
def house(tenant_house: House, tmp_path: Path) -> Iterator[House]:
    """The house of a tenant with the demo's runs, none of whose files was read."""
    fill_tenant(tenant_house.source_url, "acme", tmp_path, lambda _: None, runs=12)
    tenant_house.sync()
    refresh(tenant_house)
    yield tenant_house
    tenant_house.warehouse("delete from quality.stored_files")
    tenant_house.fill({})
    refresh(tenant_house, "--full-refresh")


def read(house: House, number: int, problem: str | None) -> None:
    """Write down what was found of a file."""
    house.warehouse("delete from quality.stored_files where key = jsonb_build_object('id', %s)", number)
    house.warehouse(FOUND, f'{{"id": {number}}}', problem)


def is_news(house: House) -> bool:
    with house.transforming() as cursor:
        return nothing_new(cursor) is None


def test_files_that_were_read_are_told_without_a_batch(house: House) -> None:
    ((run, first, second),) = house.source(
        "select run_id, min(id), max(id) from artifacts group by run_id having count(*) > 1 order by run_id limit 1"
    )
    ((files,),) = house.source("select count(*) from artifacts where run_id = %s", run)
    untouched = house.warehouse("select run_id, refreshed_at from analytics.llm_runs where run_id <> %s order by run_id", run)
    assert not is_news(house)
    shown = []
    for number, problem in ((first, None), (second, None), (second, "digest"), (first, "missing")):
        read(house, number, problem)
        assert is_news(house)
        refresh(house)
        assert not is_news(house)
        shown += [row[1:] for row in house.warehouse(OF_RUNS) if row[0] == run]
        assert differences_from_rebuild(house) == {}
    assert shown == [(files, 1, 0), (files, 2, 0), (files, 1, 1), (files, 0, 2)]
    assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
    assert house.warehouse("select run_id, refreshed_at from analytics.llm_runs where run_id <> %s order by run_id", run) == untouched


def test_what_was_found_since_is_not_taken_for_wrong(house: House) -> None:
    """What is published is held against what raw made then, and explained, as far as records say the same now."""
    ((run, number),) = house.source("select run_id, min(id) from artifacts group by run_id order by run_id limit 1")

    def verified() -> tuple[bool, int | None]:
        with house.transforming() as cursor:
            (found,) = Verifying(cursor, house.plan, definition(), None).verify(["llm_runs"])
        return found.is_right, found.groups

    is_right, groups = verified()
    assert is_right
    assert groups
    read(house, number, "digest")
    assert verified() == (True, groups - 1)
    refresh(house)
    assert verified() == (True, groups)
    with house.transforming() as cursor:
        explanation = explain(cursor, house.plan, "llm_runs", [("run_id", str(run))], column="digests_wrong")
    assert (explanation.row["digests_wrong"], explanation.differing) == ("1", ())


def test_a_refresh_waits_for_who_is_writing_down_what_was_found(house: House) -> None:
    """Or its moment would be later than that of a row which it has not seen."""
    impatient = psycopg2.connect(house.warehouse_url, options="-c role=runmart_transform -c lock_timeout=100ms")
    with closing(impatient), house.transforming() as writing:
        writing.execute(FOUND, ('{"id": 1}', None))
        with pytest.raises(LockNotAvailable):
            PostgresEngine(impatient, house.plan, definition()).begin(full=False)
        writing.connection.rollback()
        assert PostgresEngine(impatient, house.plan, definition()).begin(full=False)
