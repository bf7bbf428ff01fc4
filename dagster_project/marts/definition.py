"""Whether the project has changed: the one digest of everything that decides what marts hold, but for the rows of raw tables.

Belongs here: which files and versions count. Does not belong here: what a change leads to (`refreshes`, `resources.manifest`).
"""

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from dagster_project.settings import DBT_PROJECT, PROJECT_ROOT, SOURCES_ROOT

# Models, tests, seeds, macros and variables; what changes dbt; what computes groups; which keys lead to them.
_PARTS = (
    *(DBT_PROJECT / part for part in ("dbt_project.yml", "models", "macros", "seeds", "tests")),
    PROJECT_ROOT / "dbt_runmart",
    PROJECT_ROOT / "dagster_project" / "marts",
    SOURCES_ROOT,
)
_PACKAGES = ("dbt-core", "dbt-postgres")
_SUFFIXES = {".sql", ".yml", ".yaml", ".md", ".csv", ".py"}


def definition() -> str:
    """Digest of the project as it stands on disk."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}\0".encode())
    for path in _files():
        digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for part in _PARTS:
        yield from sorted(path for path in (part.rglob("*") if part.is_dir() else [part]) if path.suffix in _SUFFIXES and path.is_file())
