"""What dbt has done ahead changes nothing of what it finds: a project and an environment that have changed since are those that count."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dagster_project.settings import DBT_PROJECT, PROJECT_ROOT

_AHEAD = """
import os, sys
from pathlib import Path
from dbt_runmart.starting import parse_ahead, run
project, target = map(Path, sys.argv[1:3])
parsed = parse_ahead(project, target)
exec(sys.argv[3])
sys.argv = ["dbt", *sys.argv[4:]]
run(parsed)
"""

_BY_ITSELF = """
import os, sys
exec(sys.argv[1])
sys.argv = ["dbt", *sys.argv[2:]]
from dbt.cli.main import cli
cli()
"""

# Files stay as a change has left them; the environment is each process's own.
_FILES = {
    "model": "(project / 'models/marts/shared/fct_runs.sql').open('a').write('-- changed\\n')",
    "macro": "(project / 'macros/metrics.sql').open('a').write('{# changed #}\\n')",
}
_ENVIRONMENT = {"environment": "os.environ.update(RUNMART_DEFINITION='another', RUNMART_DBT_USER='another')"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project."""
    return Path(shutil.copytree(DBT_PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("target", "logs")))


def python(code: str, *arguments: str, **environment: str) -> str:
    variables = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "RUNMART_DEFINITION": "one", **environment}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def parsed(target: Path) -> dict[str, Any]:
    """What dbt has parsed, without what tells one start from another."""
    text = (target / "manifest.json").read_text(encoding="utf-8")
    found = json.loads(text, object_hook=lambda part: {name: value for name, value in part.items() if name != "created_at"})
    return {name: value for name, value in found.items() if name != "metadata"}


@pytest.mark.parametrize("change", [*_FILES, *_ENVIRONMENT])
def test_dbt_finds_after_a_change_what_it_finds_without_having_begun_ahead(project: Path, tmp_path: Path, change: str) -> None:
    warm, cold = str(tmp_path / "warm"), str(tmp_path / "cold")
    parse = ["parse", "--project-dir", str(project), "--profiles-dir", str(project), "--target-path"]
    python(_AHEAD, str(project), warm, {**_FILES, **_ENVIRONMENT}[change], *parse, warm)
    python(_BY_ITSELF, _ENVIRONMENT.get(change, ""), *parse, cold)
    assert parsed(Path(warm)) == parsed(Path(cold))


def test_refresh_leaves_out_what_only_tools_read(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "refresh"
    parse = ["parse", "--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(target)]
    python(_BY_ITSELF, "", *parse, RUNMART_REFRESH="now")
    assert not (target / "manifest.json").exists()
    assert (target / "partial_parse.msgpack").exists()


_LISTED = ("--quiet", "ls", "--resource-type", "model", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT))

_TOLD = """
from dbt.parser.manifest import ManifestLoader
load = ManifestLoader.get_full_manifest
ManifestLoader.get_full_manifest = lambda *given, **named: print("parses") or load(*given, **named)
"""


@pytest.fixture(scope="module")
def parsed_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target folder of the project as it stands."""
    target = tmp_path_factory.mktemp("parsed_before")
    python(_BY_ITSELF, "", *_LISTED, "--target-path", str(target))
    return target


@pytest.mark.parametrize(
    ("change", "parses"),
    [
        ("os.environ['RUNMART_REFRESH'] = 'now'", 0),
        ("os.environ.update(RUNMART_REFRESH='now', RUNMART_ONLY='fct_runs', RUNMART_DBT_AHEAD='there')", 0),
        ("os.environ.update(RUNMART_REFRESH='now', RUNMART_DEFINITION='another')", 1),
        ("os.environ.update(RUNMART_REFRESH='now', RUNMART_DBT_USER='another')", 1),
        ("os.environ.update(RUNMART_REFRESH='now', RUNMART_DBT_NAME='another')", 0),
        ("os.environ.pop('RUNMART_REFRESH', None)", 1),
    ],
)
def test_a_refresh_in_the_same_environment_parses_nothing(parsed_before: Path, tmp_path: Path, change: str, parses: int) -> None:
    target = str(shutil.copytree(parsed_before, tmp_path / "target"))
    said = python(_AHEAD, str(DBT_PROJECT), target, _TOLD + change, *_LISTED, "--target-path", target).splitlines()
    assert said.count("parses") == parses
    assert "runmart.marts.shared.fct_runs" in said
