"""The examples of the README and of all other pages but the guides, in their order, in a copy of the project: they print what is shown.

`pytest tests/e2e/test_readme.py --rewrite` also writes what was printed into the pages; read the difference before you commit it.
How examples are written is said in `tests/e2e/examples.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.examples import Outcome
from tests.e2e.walk import checkout, require_as_shown
from tests.pages import GUIDES, PAGES, name_of

FOLLOWED = [page for page in PAGES if page not in GUIDES]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, list[Outcome]]]:
    """What came of the examples, by page."""
    with checkout(tmp_path_factory.mktemp("readme") / "runmart") as copy:
        yield dict(zip(FOLLOWED, copy.follow(*(page.read_text(encoding="utf-8") for page in FOLLOWED)), strict=True))


@pytest.mark.parametrize("page", FOLLOWED, ids=name_of)
def test_examples_print_what_the_page_shows(page: Path, outcomes: dict[Path, list[Outcome]], request: pytest.FixtureRequest) -> None:
    require_as_shown(page, outcomes[page], request)
