"""The examples of the README and of all other pages but the guides, in their order, in a copy of the project: they print what is shown.

`pytest tests/e2e/test_readme.py --rewrite` also writes what was printed into the pages; read the difference before you commit it.
How examples are written is said in `tests/e2e/examples.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.databases import run
from tests.e2e.examples import Outcome
from tests.e2e.walk import Checkout, checkout, require_as_shown
from tests.oracles.oracles import differences, oracles
from tests.pages import GUIDES, PAGES, name_of

FOLLOWED = [page for page in PAGES if page not in GUIDES]


@dataclass(frozen=True)
class Walk:
    """A copy in which the pages were followed, and what came of their examples."""

    copy: Checkout
    outcomes: dict[Path, list[Outcome]]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The pages, followed."""
    with checkout(tmp_path_factory.mktemp("readme") / "runmart") as copy:
        outcomes = copy.follow(*(page.read_text(encoding="utf-8") for page in FOLLOWED))
        yield Walk(copy, dict(zip(FOLLOWED, outcomes, strict=True)))


@pytest.mark.parametrize("page", FOLLOWED, ids=name_of)
def test_examples_print_what_the_page_shows(page: Path, walk: Walk, request: pytest.FixtureRequest) -> None:
    require_as_shown(page, walk.outcomes[page], request)


def test_marts_of_the_demo_equal_their_oracles(walk: Walk) -> None:
    warehouse = walk.copy.url("warehouse")
    ((now,),) = run(warehouse, "select max(started_at) from ops.refreshes")
    assert differences({oracle.system: walk.copy.url(oracle.system) for oracle in oracles()}, warehouse, now) == {}
