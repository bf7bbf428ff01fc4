"""Whether any file has changed that a running process may have read.

Belongs here: which files these are, and a look at them that costs milliseconds. Does not belong here: what decides what marts hold
(`marts.definition`), which is less.
"""

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_PARTS = ("dagster_project", "dbt_runmart", "dbt_project", "expectations", "migrations", "pyproject.toml", "uv.lock", "dagster.yaml")

# What runs write there themselves.
_WRITTEN = {"__pycache__", "target", "logs"}

State = frozenset[tuple[str, int, int, int]]


def project_state(root: Path) -> State:
    """Each file with what a change of it changes, and the folder of what is installed.

    Args:
        root: Folder of the project.
    """
    installed = Path(sysconfig.get_path("purelib"))
    return frozenset([*_looked_at(root / part for part in _PARTS), _seen(str(installed), installed.stat())])


def _looked_at(paths: Iterator[Path]) -> Iterator[tuple[str, int, int, int]]:
    for path in paths:
        if path.is_dir():
            yield from _inside(str(path))
        elif path.exists():
            yield _seen(str(path), path.stat())


def _inside(folder: str) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _WRITTEN:
                    yield from _inside(entry.path)
            else:
                yield _seen(entry.path, entry.stat())


def _seen(path: str, stat: os.stat_result) -> tuple[str, int, int, int]:
    return path, stat.st_mtime_ns, stat.st_size, stat.st_ino
