"""Every change of a file that a process may have read is seen, and nothing that runs write themselves."""

from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT
from dagster_project.warm.project_state import project_state


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("dagster_project/a.py", "dbt_project/models/b.sql", "expectations/c.json", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["dagster_project/a.py", "dbt_project/models/b.sql", "expectations/c.json", "pyproject.toml"])
def test_changed_new_and_missing_files_are_seen(project: Path, name: str) -> None:
    before = project_state(project)
    assert project_state(project) == before
    (project / name).write_text("two, longer", encoding="utf-8")
    changed = project_state(project)
    assert changed != before
    (project / name).unlink()
    assert project_state(project) not in (before, changed)
    new = project_state(project)
    (project / name).with_name("new.py").touch()
    # What stands at the top is known by its name.
    assert (project_state(project) == new) == (name == "pyproject.toml")


def test_what_runs_write_is_not_looked_at(project: Path) -> None:
    before = project_state(project)
    for folder in ("dbt_project/target", "dbt_project/logs", "dagster_project/__pycache__", "docs"):
        (project / folder).mkdir()
        (project / folder / "written").touch()
    assert project_state(project) == before


def test_all_that_the_project_is_made_of_is_looked_at() -> None:
    seen = {Path(path).relative_to(PROJECT_ROOT).parts[0] for path, *_ in project_state(PROJECT_ROOT) if ".venv" not in path}
    assert seen == {
        "dagster_project",
        "dbt_runmart",
        "dbt_project",
        "expectations",
        "migrations",
        "pyproject.toml",
        "uv.lock",
        "dagster.yaml",
    }
