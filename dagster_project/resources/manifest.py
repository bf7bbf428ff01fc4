"""dbt's manifest, which is never stale.

Belongs here: parsing the project when it has changed. Does not belong here: running dbt (`dbt`), what the manifest says (`marts.lineage`),
and which of it concerns a warehouse (`share`). Commands that answer at once read it, so nothing here imports Dagster.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.errors import RunmartError
from dagster_project.marts.definition import definition
from dagster_project.settings import DBT_PROJECT

MANIFEST = DBT_PROJECT / "target" / "manifest.json"
DEFINITION = "RUNMART_DEFINITION"
# dbt, by the warm process if there is one.
DBT_EXECUTABLE = str(Path(sys.executable).parent / "runmart-dbt")
# The digest of the project that the manifest is of.
_PARSED = MANIFEST.with_name("parsed")


class DbtParseError(RunmartError):
    """The dbt project is invalid; the message is dbt's own."""


def ensure_manifest() -> Path:
    """The manifest of the project as it stands; parses the project (no database, no network) if it has changed since.

    Raises:
        DbtParseError: The project does not parse.
    """
    current = definition()
    if not MANIFEST.exists() or not _PARSED.exists() or _PARSED.read_text(encoding="utf-8") != current:
        command = [DBT_EXECUTABLE, "--quiet", "parse", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
        environment = {**os.environ, DEFINITION: current}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DbtParseError(f"dbt cannot parse {DBT_PROJECT.name}:\n{done.stdout.strip() or done.stderr.strip()}")
        _PARSED.write_text(current, encoding="utf-8")
    return MANIFEST


@cache
def load_manifest() -> Mapping[str, Any]:
    """What is in it.

    Raises:
        DbtParseError: The project does not parse.
    """
    manifest: Mapping[str, Any] = json.loads(ensure_manifest().read_text(encoding="utf-8"))
    return manifest
