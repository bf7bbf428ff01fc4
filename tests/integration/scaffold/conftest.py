"""An awkward database of a user's own, and a copy of the project in which a system is drafted from it.

Belongs here: what the tests share. Does not belong here: what is expected of the draft.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contract
from dagster_project.ingestion.sync import sync
from dagster_project.resources.dbt_environment import dbt_environment
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.manifest import DBT_EXECUTABLE
from dagster_project.settings import PROJECT_ROOT
from dagster_project.warehouse import Warehouse
from migrations.run import upgrade
from tests.databases import run

_COPIED = (
    *("dagster_project", "dbt_project", "expectations", "migrations", "tests", "docs", "benchmarks", "dbt_runmart"),
    *("dagster.yaml", "pyproject.toml", "README.md", "CONTRIBUTING.md", "LICENSE", ".env.example", "Makefile"),
)
_COMMAND = "from dagster_project.cli import main; main()"
_DBT = f"import sys; sys.argv[0] = {DBT_EXECUTABLE!r}; from dbt.cli.main import cli; cli()"


@dataclass(frozen=True)
class Project:
    """A copy of the project.

    Attributes:
        root: Its folder.
        source_url: The awkward database.
        said: What drafting a system from it printed.
    """

    root: Path
    source_url: str
    said: str

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python on the copy's code, not on the original's."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RUNMART_")}
        settings = {"PYTHONPATH": str(self.root), "RUNMART_HOME": str(self.root / ".runmart"), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**inherited, **settings, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def runmart(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the copy's `runmart`."""
        return self.python("-c", _COMMAND, *arguments, **environment)

    def scaffold(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Draft a system from the awkward database."""
        return self.runmart("source", "scaffold", "--url", self.source_url, *arguments)

    def contract(self) -> SystemContract:
        """The contract that was drafted."""
        return load_contract(self.root / "dagster_project" / "defs" / "sources" / "shop" / "defs.yaml")

    def files(self) -> dict[Path, bytes]:
        """Every file that a system may consist of."""
        folders = ("dagster_project/defs/sources", "dbt_project/models", "expectations")
        found = (path for folder in folders for path in (self.root / folder).rglob("*"))
        return {path: path.read_bytes() for path in found if path.is_file()}


@pytest.fixture(scope="session")
def shop_url(server: EmbeddedServer) -> str:
    """URL of the awkward database."""
    server.ensure_database("awkward_shop")
    run(server.url("awkward_shop"), (Path(__file__).parent / "shop.sql").read_text(encoding="utf-8"))
    return server.url("awkward_shop")


@pytest.fixture(scope="session")
def project(shop_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the project after `runmart source scaffold`."""
    root = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("target", "logs")
    for name in _COPIED:
        origin = PROJECT_ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, root / name, ignore=ignored)
        else:
            shutil.copy(origin, root / name)
    done = Project(root, shop_url, "").scaffold("--system", "shop", "--schema", "public", "--schema", "crm")
    assert done.returncode == 0, done.stderr
    yield Project(root, shop_url, done.stdout)
    shutil.rmtree(root)


def environment_of(warehouse_url: str) -> dict[str, str]:
    """What dbt finds in its environment, for a warehouse whose system the checkout does not know."""
    return {**dbt_environment(Warehouse(warehouse_url, Path())), "RUNMART_DBT_SYSTEMS": ""}


@pytest.fixture(scope="session")
def built(project: Project, server: EmbeddedServer) -> str:
    """URL of a warehouse that the drafted system was synced into twice, and its staging models built in."""
    server.ensure_database("awkward_shop_warehouse")
    url, dbt = server.url("awkward_shop_warehouse"), str(project.root / "dbt_project")
    upgrade("warehouse", url)
    for _ in range(2):
        sync(project.contract(), project.source_url, url)
    arguments = ("build", "--quiet", "--select", "staging.shop", "--project-dir", dbt, "--profiles-dir", dbt)
    done = project.python("-c", _DBT, *arguments, **environment_of(url))
    assert done.returncode == 0, done.stdout
    return url
