"""Following pages in a copy of the checkout.

Belongs here: the copy, and its shell. Does not belong here: which pages are followed, and how their examples are written (`examples`).
"""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT
from tests.e2e.examples import Outcome, difference, examples, rewritten, run

# What a shell would not have, or what would lead to other databases than the copy's own.
_FOREIGN = ("RUNMART_", "DAGSTER_", "DBT_", "PYTEST_", "MAKE", "MFLAGS", "COLUMNS", "GIT_")


@dataclass(frozen=True)
class Checkout:
    """A copy of the project as after `make install`."""

    root: Path

    def follow(self, *texts: str) -> list[list[Outcome]]:
        """What comes of the examples of pages, in one shell; by page."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        # The copy's code runs, not that of the checkout which is installed.
        environment["PYTHONPATH"] = str(self.root)
        # A pytest among the examples would close the folder of this one to the servers in it; in the copy, its files would be new ones.
        environment["PYTEST_DEBUG_TEMPROOT"] = str(self.root.parent)
        return run([examples(text) for text in texts], self.root, environment)

    def url(self, database: str) -> str:
        """Libpq URL of a database of the copy."""
        ((printed,),) = self.follow(f"```console\n$ .venv/bin/runmart url {database}\n```")
        return printed.lines[0].replace("…", str(self.root))


@contextmanager
def checkout(folder: Path) -> Iterator[Checkout]:
    """A copy in a folder that there is not yet, without databases of its own yet; its servers end with it."""
    shutil.copytree(PROJECT_ROOT, folder, ignore=shutil.ignore_patterns(".*", "target", "logs"))
    # Of what is hidden, pages name the one, and git needs the other.
    for hidden in (".env.example", ".gitignore"):
        shutil.copy(PROJECT_ROOT / hidden, folder)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    # For make, the environment is newer than what it is made of.
    for origin in ("uv.lock", "pyproject.toml"):
        os.utime(folder / origin, (0, 0))
    copy = Checkout(folder)
    try:
        yield copy
    finally:
        copy.follow("```console\n$ .venv/bin/runmart down\n```")
        shutil.rmtree(folder)


def require_as_shown(page: Path, outcomes: Sequence[Outcome], request: pytest.FixtureRequest) -> None:
    """Fail if examples of a page print something else than it shows; with `--rewrite`, write what they print into the page."""
    text = page.read_text(encoding="utf-8")
    if request.config.getoption("--rewrite", default=False):
        page.write_text(rewritten(text, outcomes), encoding="utf-8")
    wrong = [difference(*pair) for pair in zip(examples(text), outcomes, strict=True)]
    if any(wrong):
        pytest.fail("\n".join(filter(None, wrong)), pytrace=False)
