"""Retention: old results go, the last verdict of every check stays."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg2

from dagster_project.defs.operations import retention
from dagster_project.resources.run_history import RunHistory
from dagster_project.resources.warehouse import Warehouses
from dagster_project.warehouse import DEFAULT, Warehouse

_RESULT = """
insert into quality.validation_results (run_id, asset_key, suite, expectation, severity, is_success, validated_at)
values ('run', 'small/parent', 'small.parent', %s, 'critical', true, now() - make_interval(days => %s))
"""


def test_old_results_go_but_the_last_of_each_check_stays(
    new_database: Callable[[str], str], instance: dg.DagsterInstance, dagster_url: str, tmp_path: Path
) -> None:
    url = new_database("warehouse")
    results = [("superseded", 100), ("superseded", 95), ("superseded", 1), ("last", 400), ("recent", 89), ("recent", 2)]
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        for result in results:
            cursor.execute(_RESULT, result)
    resources = {"warehouses": Warehouses((Warehouse(url, tmp_path),)), "run_history": RunHistory(dagster_url, 1)}
    for _ in range(2):
        assert retention(DEFAULT).execute_in_process(instance=instance, resources=resources).success
    # The run that deletes, which has not ended by then, and the one before.
    assert len(instance.get_runs()) == 1
    with connection, connection.cursor() as cursor:
        cursor.execute("select expectation, (now()::date - validated_at::date) from quality.validation_results order by validation_id")
        left = cursor.fetchall()
    connection.close()
    assert left == [("superseded", 1), ("last", 400), ("recent", 89), ("recent", 2)]
