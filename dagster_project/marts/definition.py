"""Whether the project has changed: the one digest of everything that decides what marts hold, but for the rows of raw tables.

Belongs here: which files and versions count. Does not belong here: what a change leads to (`refreshes`, `resources.manifest`).
"""

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

# Models, tests, seeds, macros and variables; what changes dbt; what computes groups; which keys lead to them.
_PARTS = (
    *(f"dbt_project/{part}" for part in ("dbt_project.yml", "models", "macros", "seeds", "tests")),
    "dbt_runmart",
    "dagster_project/marts",
    "dagster_project/defs/sources",
)
_PACKAGES = ("dbt-core", "dbt-postgres")
_SUFFIXES = {".sql", ".yml", ".yaml", ".md", ".csv", ".py"}


def definition(root: Path = PROJECT_ROOT) -> str:
    """Digest of the project as it stands in a folder."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}\0".encode())
    for path in _files(root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for part in (root / name for name in _PARTS):
        yield from sorted(path for path in (part.rglob("*") if part.is_dir() else [part]) if path.suffix in _SUFFIXES and path.is_file())
