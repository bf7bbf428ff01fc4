"""A further system in a copy of the dbt project: what it takes to have executions in fct_runs, in folders of its own.

Belongs here: making the copy, and the files that a system brings. Does not belong here: what is expected of them.
"""

import shutil
from pathlib import Path

from dagster_project.settings import DBT_PROJECT

SYSTEM = "lab"

_FILES = {
    f"macros/{SYSTEM}/executions.sql": f"{{% macro {SYSTEM}__executions() -%}} {{{{ ref('int_{SYSTEM}__executions') }}}} {{%- endmacro %}}",
    f"models/intermediate/{SYSTEM}/int_{SYSTEM}__executions.sql": f"""
select
    '{SYSTEM}' as system_name,
    '7' as execution_id,
    cast(null as text) as parent_execution_id,
    cast(null as text) as group_id,
    cast(null as text) as group_name,
    'measurement' as execution_kind,
    cast(null as text) as execution_name,
    cast(null as text) as started_by,
    'succeeded' as status,
    'done' as source_status,
    cast(null as text) as error_message,
    false as is_deleted,
    cast(null as double precision) as duration_seconds,
    cast('2025-01-01' as timestamp) as started_at,
    cast(null as timestamp) as ended_at
""",
}


def copy_project(folder: Path) -> Path:
    """A copy of the dbt project in a folder that there is not yet."""
    return shutil.copytree(DBT_PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))


def bring_executions(project: Path) -> None:
    """Give a copy the files of a further system with one execution, 7; every file is a new one."""
    for path, text in _FILES.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        with (project / path).open("x", encoding="utf-8") as file:
            file.write(text)
