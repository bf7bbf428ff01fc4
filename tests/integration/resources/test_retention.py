"""Retention: old results and files go, the last verdict of every check stays."""

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg2

from dagster_project.defs.operations import remove_expired, remove_old_folders
from dagster_project.resources.warehouse import Warehouse

_RESULT = """
insert into quality.validation_results (run_id, asset_key, suite, expectation, severity, is_success, validated_at)
values ('run', 'small/parent', 'small.parent', %s, 'critical', true, now() - make_interval(days => %s))
"""


def test_old_results_go_but_the_last_of_each_check_stays(new_database: Callable[[str], str]) -> None:
    url = new_database("warehouse")
    results = [("superseded", 100), ("superseded", 95), ("superseded", 1), ("last", 400), ("recent", 89), ("recent", 2)]
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        for result in results:
            cursor.execute(_RESULT, result)
    remove_expired(dg.build_op_context(resources={"warehouse": Warehouse(fixed_url=url)}))
    with connection, connection.cursor() as cursor:
        cursor.execute("select expectation, (now()::date - validated_at::date) from quality.validation_results order by validation_id")
        left = cursor.fetchall()
    connection.close()
    assert left == [("superseded", 1), ("last", 400), ("recent", 89), ("recent", 2)]


def test_only_folders_of_old_dbt_runs_are_removed(tmp_path: Path) -> None:
    for name, age_days in (("transformation-1-2", 8), ("0f72c71", 9), ("transformation-3-4", 6), ("compiled", 30)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "manifest.json").touch()
        moment = folder.stat().st_mtime - age_days * 86_400
        os.utime(folder, (moment, moment))
    assert remove_old_folders(tmp_path, days=7) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled", "transformation-3-4"]
