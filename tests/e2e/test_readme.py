"""The examples of the README and of all other pages, in their order, in a fresh copy of the project: they print what the pages show.

`pytest tests/e2e/test_readme.py --rewrite` also writes what was printed into the pages; read the difference before you commit it.
How examples are written is said in `tests/e2e/examples.py`.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT
from tests.e2e.examples import Outcome, difference, examples, rewritten, run
from tests.pages import PAGES, name_of

# What a shell would not have, or what would lead to other databases than the copy's own.
_FOREIGN = ("RUNMART_", "DAGSTER_", "DBT_", "PYTEST_", "MAKE", "MFLAGS", "COLUMNS")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project as after `make install`, without databases of its own yet."""
    root = tmp_path_factory.mktemp("readme") / "runmart"
    shutil.copytree(PROJECT_ROOT, root, ignore=shutil.ignore_patterns(".*", "target", "logs"))
    (root / ".venv").symlink_to(Path(sys.prefix))
    # For make, the environment is newer than what it is made of.
    for origin in ("uv.lock", "pyproject.toml"):
        os.utime(root / origin, (0, 0))
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def outcomes(copy: Path) -> dict[Path, list[Outcome]]:
    """What came of the examples, by page."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # The copy's code runs, not that of the checkout which is installed.
    environment["PYTHONPATH"] = str(copy)
    pages = [examples(page.read_text(encoding="utf-8")) for page in PAGES]
    try:
        return dict(zip(PAGES, run(pages, copy, environment), strict=True))
    finally:
        run([examples("```console\n$ .venv/bin/runmart down\n```")], copy, environment)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_print_what_the_page_shows(page: Path, outcomes: dict[Path, list[Outcome]], request: pytest.FixtureRequest) -> None:
    text = page.read_text(encoding="utf-8")
    if request.config.getoption("--rewrite", default=False):
        page.write_text(rewritten(text, outcomes[page]), encoding="utf-8")
    wrong = [difference(*pair) for pair in zip(examples(text), outcomes[page], strict=True)]
    if any(wrong):
        pytest.fail("\n".join(filter(None, wrong)), pytrace=False)
