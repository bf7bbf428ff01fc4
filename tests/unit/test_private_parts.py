"""Private parts of Dagster, dagster-dbt and dbt are used by their adapters only, and one that moves is told with what it breaks."""

import tomllib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT
from tests.private_parts import ADAPTERS, Part, has, is_private, moved, private_parts, takes, untold


def misplaced(root: Path, folders: Iterable[str]) -> list[str]:
    """Uses of private parts by any module but the adapter of their library, each with its file and line."""
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    found = ((path.relative_to(root), line, name) for path in files for line, name in private_parts(path))
    return [
        f"{path.as_posix()}:{line} uses {name}"
        for path, line, name in found
        if not path.is_relative_to(ADAPTERS.get(name.partition(".")[0], "nowhere"))
    ]


def test_private_parts_stand_in_their_adapters() -> None:
    """In all Python that is typed, tests too."""
    typed = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"]
    assert misplaced(PROJECT_ROOT, typed) == []
    assert all([*private_parts(path)] for path in (PROJECT_ROOT / ADAPTERS["dagster"], PROJECT_ROOT / ADAPTERS["dagster_dbt"]))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from dagster._core.errors import DagsterError", "dagster._core.errors.DagsterError"),
        ("def late():\n    import dagster._check", "dagster._check"),
        ("from dagster import _core", "dagster._core"),
        ("import dagster as dg\nx = dg._core.errors", "dagster._core"),
        ("import dagster_postgres._x", "dagster_postgres._x"),
        (
            "import dagster_dbt\nclass Dbt(dagster_dbt.DbtCliResource):\n    def _cli_version(self): ...",
            "dagster_dbt.DbtCliResource._cli_version",
        ),
        (
            "from dagster import Config as C\nclass Mine(C):\n    def _convert_to_config_dictionary(self): ...",
            "dagster.Config._convert_to_config_dictionary",
        ),
        ("from dbt.adapters.base import BaseAdapter", "dbt.adapters.base.BaseAdapter"),
        ("import dbt.flags", "dbt.flags"),
    ],
)
def test_a_private_part_elsewhere_is_seen(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "house" / "defs").mkdir(parents=True)
    (tmp_path / "house" / "defs" / "one.py").write_text(text, encoding="utf-8")
    assert [line.partition(" uses ")[2] for line in misplaced(tmp_path, ["house"])] == [name]


def test_the_adapter_of_one_library_is_not_that_of_another(tmp_path: Path) -> None:
    path = tmp_path / ADAPTERS["dagster"]
    path.parent.mkdir(parents=True)
    path.write_text("from dagster._core import errors\nimport dbt.flags\n", encoding="utf-8")
    assert misplaced(tmp_path, ["dagster_project"]) == [f"{ADAPTERS['dagster']}:2 uses dbt.flags"]


def test_what_is_public_may_be_used_anywhere(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "from __future__ import annotations\nimport dagster as dg\nfrom dagster_project._x import y\nfrom dbt.cli.main import dbtRunner\n"
        "class Mine(dg.ConfigurableResource):\n    def _own(self): return self._x, dg.__version__\n",
        encoding="utf-8",
    )
    assert misplaced(tmp_path, ["."]) == []
    assert not is_private("dbt.adapters.postgres.impl.PostgresAdapter")


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        (Part("json.nowhere:loads", "read", callable), "json.nowhere:loads is gone (No module named 'json.nowhere')"),
        (Part("json:reads", "read", callable), "json:reads is gone (module 'json' has no attribute 'reads')"),
        (Part("json:loads", "read", takes("text", strictly=True)), None),
        (
            Part("json:detect_encoding", "read", takes("text", "more")),
            "json:detect_encoding has another shape (too many positional arguments)",
        ),
        (
            Part("json:JSONDecoder", "read", has("decode", "reads")),
            "json:JSONDecoder has another shape (<class 'json.decoder.JSONDecoder'>)",
        ),
    ],
)
def test_a_part_that_moved_is_told_with_its_use_and_the_version(part: Part, complaint: str | None) -> None:
    expected = [f"dagster {version('dagster')}: {complaint}; house/json.py needs it to read"] if complaint else []
    assert moved("dagster", "house/json.py", [part]) == expected


def test_a_part_of_an_adapter_that_no_test_looks_at_is_named() -> None:
    looked_at = Part("dagster_dbt:DbtCliResource._cli_version", "start dbt", callable)
    assert untold(ADAPTERS["dagster_dbt"], [looked_at]) == {"dagster_dbt.DbtCliResource._initialize_dbt_core_adapter"}
