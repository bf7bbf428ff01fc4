"""The guides, followed word by word in a copy of the project: what they lead to is a mart that equals its source, whatever changes there.

`pytest tests/e2e/test_guides.py --rewrite` also writes what was printed into the pages; read the difference before you commit it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.databases import run
from tests.e2e.examples import Outcome
from tests.e2e.walk import Checkout, checkout, require_as_shown
from tests.pages import GUIDES, name_of

CHANGES = """
insert into customers values (4, 'IT', null);
insert into orders values (4, 4, '2025-01-04');
insert into order_lines values (5, 4, 1, 7.25), (6, 2, 2, 0.01);
update order_lines set price = 33333 where line_id = 4;
update customers set country = 'ES' where customer_id = 3;
delete from order_lines where line_id = 3;
update orders set customer_id = 3 where order_id = 1;
"""
MART = "select customer_id, country, line_count, revenue from analytics.customer_revenue order by 1"
ANSWER = """
select customer_id, country, count(line_id), coalesce(sum(quantity * price), 0)
from customers left join orders using (customer_id) left join order_lines using (order_id)
group by customer_id, country order by 1
"""


@dataclass(frozen=True)
class Walk:
    """A copy in which the guides were followed, what they printed, and its databases."""

    copy: Checkout
    outcomes: dict[Path, list[Outcome]]
    source: str
    warehouse: str

    def mart(self) -> list[tuple[Any, ...]]:
        return run(self.warehouse, MART)

    def answer(self) -> list[tuple[Any, ...]]:
        return run(self.source, ANSWER)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The guides, followed."""
    with checkout(tmp_path_factory.mktemp("guides") / "runmart") as copy:
        outcomes = dict(zip(GUIDES, copy.follow(*(page.read_text(encoding="utf-8") for page in GUIDES)), strict=True))
        ((printed,),) = copy.follow("```console\n$ .venv/bin/runmart url warehouse\n```")
        warehouse = printed.lines[0].replace("…", str(copy.root))
        yield Walk(copy, outcomes, warehouse.replace("/warehouse?", "/shop?"), warehouse)


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_examples_print_what_the_page_shows(page: Path, walk: Walk, request: pytest.FixtureRequest) -> None:
    require_as_shown(page, walk.outcomes[page], request)


def test_the_mart_equals_its_source_after_any_change(walk: Walk) -> None:
    before = walk.mart()
    assert before == walk.answer()
    run(walk.source, CHANGES)
    again = f"$ export RUNMART_SOURCE_SHOP_URL='{walk.source}'\n$ .venv/bin/runmart sync shop\n$ .venv/bin/runmart refresh\n"
    (outcomes,) = walk.copy.follow(f"```console\n{again}```")
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    assert walk.mart() == walk.answer() != before
    assert run(walk.warehouse, "select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
