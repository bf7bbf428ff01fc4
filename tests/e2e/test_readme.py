"""The examples of the README and of all other pages but the guides, in their order, in a copy of the project: they print what is shown.

`pytest tests/e2e/test_readme.py --rewrite` also writes what was printed into the pages; read the difference before you commit it.
How examples are written is said in `tests/e2e/examples.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from dagster_project.contracts.loading import shared_contracts
from dagster_project.demo.tenants import SYSTEM, TENANTS
from dagster_project.postgres.urls import on_database
from tests.databases import run
from tests.e2e.examples import Outcome
from tests.e2e.walk import Checkout, checkout, require_as_shown
from tests.oracles.oracles import differences
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
    assert differences({system: walk.copy.url(system) for system in shared_contracts()}, warehouse, refreshed_at(warehouse)) == {}


@pytest.mark.parametrize("tenant", [tenant.name for tenant in TENANTS])
def test_marts_of_tenants_equal_their_oracles(walk: Walk, tenant: str) -> None:
    source, warehouse = (on_database(walk.copy.url("warehouse"), f"{name}__{tenant}") for name in (SYSTEM, f"warehouse__{SYSTEM}"))
    assert run(warehouse, "select count(*) > 0 from analytics.llm_steps") == [(True,)]
    files = "select sum(output_files), sum(digests_verified), sum(digests_wrong) from analytics.llm_runs"
    assert run(warehouse, files) == run(source, "select count(*), count(*), 0 from artifacts")
    assert differences({SYSTEM: source}, warehouse, refreshed_at(warehouse)) == {}


TOLD = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_usd", "wasted_cost_usd")


def test_sums_over_tenants_are_those_of_the_shared_mart(walk: Walk) -> None:
    """To the last token, and the last digit of costs."""
    shared, sums = walk.copy.url("warehouse"), ", ".join(f"coalesce(sum({column}), 0)" for column in TOLD)
    of_tenants = {}
    for tenant in TENANTS:
        ((told),) = run(on_database(shared, f"warehouse__{SYSTEM}__{tenant.name}"), f"select {sums} from analytics.llm_steps")
        of_tenants[tenant.name] = told
    assert all(any(told) for told in of_tenants.values())
    assert {name: told for name, *told in run(shared, f"select tenant_id, {sums} from analytics.llm_cost group by 1")} == {
        name: [*told] for name, told in of_tenants.items()
    }


def refreshed_at(warehouse: str) -> datetime:
    """When the refresh that is published started."""
    ((now,),) = run(warehouse, "select max(started_at) from ops.refreshes")
    found: datetime = now
    return found
