"""The guides, followed word by word in a copy of the project: marts equal their source, and files of others are untouched.

`pytest tests/e2e/test_guides.py --rewrite` also writes what was printed into the pages; read the difference before you commit it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.databases import run
from tests.e2e.examples import Outcome
from tests.e2e.walk import Checkout, checkout, require_as_shown
from tests.pages import GUIDES, PAGES, name_of

A_SOURCE, A_MART = GUIDES
SYSTEM, MART = "shop", "customer_revenue"

CHANGES = """
insert into customers values (4, 'IT', null);
insert into orders values (4, 4, '2025-01-04');
insert into order_lines values (5, 4, 1, 7.25), (6, 2, 2, 0.01);
update order_lines set price = 33333 where line_id = 4;
update customers set country = 'ES' where customer_id = 3;
delete from order_lines where line_id = 3;
update orders set customer_id = 3 where order_id = 1;
insert into exports values (6, 4, 'lost', null, now() at time zone 'UTC', null), (7, 4, 'busy', null, now() at time zone 'UTC', null);
update exports set state = 'broken', problem = 'gave up after 3 days', ended_at = '2025-01-06' where export_id = 5;
update exports set customer_id = 4 where export_id = 3;
delete from exports where export_id = 1;
"""

# By table of analysts, what it says of the shop, and what the shop itself says.
ANSWERS = {
    MART: (
        "select customer_id, country, line_count, revenue from analytics.customer_revenue order by 1",
        """
        select customer_id, country, count(line_id), coalesce(sum(quantity * price), 0)
        from customers left join orders using (customer_id) left join order_lines using (order_id)
        group by customer_id, country order by 1
        """,
    ),
    "fct_runs": (
        """
        select
            execution_key, group_id, execution_kind, status, source_status, error_class, is_zombie, duration_seconds, started_at, ended_at
        from analytics.fct_runs where system_name = 'shop' order by 1
        """,
        r"""
        select
            'shop:' || export_id, customer_id::text, 'export', coalesce(word, 'unknown'), state, regexp_replace(problem, '\d+', '<number>'),
            state = 'busy' and begun_at < now() at time zone 'UTC' - interval '1 day',
            extract(epoch from ended_at)::float - extract(epoch from begun_at)::float, begun_at, ended_at
        from exports
        left join (values ('busy', 'running'), ('done', 'succeeded'), ('broken', 'failed'), ('skipped', 'cancelled')) as words (state, word)
        using (state) order by 1
        """,
    ),
}

_REMEMBER = "```console\n$ git init --quiet && git add .\n```"
_ASK = "```console\n$ git diff --name-only\n$ git ls-files --others --exclude-standard\n```"


def shared(asked: Sequence[Outcome], own: Collection[str]) -> list[str]:
    """Of the files that were touched, those that had been there, and new ones that have no name of one's own, nor a folder that has."""
    assert [outcome.code for outcome in asked] == [0, 0], asked
    touched, new = ([*filter(None, outcome.lines)] for outcome in asked)
    return touched + [path for path in new if {*Path(path).with_suffix("").parts}.isdisjoint(own)]


@dataclass(frozen=True)
class Walk:
    """A copy in which the guides were followed, what they printed, which files were touched by the end of each, and its databases."""

    copy: Checkout
    outcomes: dict[Path, list[Outcome]]
    touched: dict[Path, list[Outcome]]
    source: str
    warehouse: str

    def told(self) -> dict[str, list[tuple[Any, ...]]]:
        """What analysts are told."""
        return {table: run(self.warehouse, query) for table, (query, _) in ANSWERS.items()}

    def true(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the source says."""
        return {table: run(self.source, query) for table, (_, query) in ANSWERS.items()}

    def untranslated(self) -> int:
        """Executions whose status has no word, as the check counts them."""
        ((count,),) = run(self.warehouse, "select failing_rows from quality.verdicts where check_name = 'status_is_translated'")
        return int(count)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The guides, followed."""
    with checkout(tmp_path_factory.mktemp("guides") / "runmart") as copy:
        texts = [text for page in GUIDES for text in (page.read_text(encoding="utf-8"), _ASK)]
        _, *outcomes = copy.follow(_REMEMBER, *texts)
        warehouse = copy.url("warehouse")
        followed, touched = (dict(zip(GUIDES, outcomes[start::2], strict=True)) for start in (0, 1))
        yield Walk(copy, followed, touched, warehouse.replace("/warehouse?", f"/{SYSTEM}?"), warehouse)


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_examples_print_what_the_page_shows(page: Path, walk: Walk, request: pytest.FixtureRequest) -> None:
    require_as_shown(page, walk.outcomes[page], request)


def test_a_system_is_new_files_of_its_own_and_no_change_of_another(walk: Walk) -> None:
    assert shared(walk.touched[A_SOURCE], {SYSTEM}) == []


def test_a_mart_changes_no_other_file_than_pages(walk: Walk) -> None:
    assert {*shared(walk.touched[A_MART], {SYSTEM, MART})} <= {name_of(page) for page in PAGES}


def test_a_file_of_others_that_was_touched_is_named(tmp_path: Path) -> None:
    copy = Checkout(tmp_path)
    macros = tmp_path / "macros"
    (macros / SYSTEM).mkdir(parents=True)
    for name in ("changed", "gone", "as_it_was"):
        (macros / f"{name}.sql").touch()
    copy.follow(_REMEMBER)
    (macros / "changed.sql").write_text("-- shop\n", encoding="utf-8")
    (macros / "gone.sql").unlink()
    for path in ("list_of_systems.sql", f"{SYSTEM}/executions.sql", f"{SYSTEM}.sql"):
        (macros / path).touch()
    (asked,) = copy.follow(_ASK)
    assert shared(asked, {SYSTEM}) == ["macros/changed.sql", "macros/gone.sql", "macros/list_of_systems.sql"]


def test_what_analysts_see_equals_the_source_after_any_change(walk: Walk) -> None:
    before = walk.told()
    assert before == walk.true()
    assert walk.untranslated() == 0
    run(walk.source, CHANGES)
    again = f"$ export RUNMART_SOURCE_SHOP_URL='{walk.source}'\n$ .venv/bin/runmart sync shop\n$ .venv/bin/runmart refresh\n"
    (outcomes,) = walk.copy.follow(f"```console\n{again}```")
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    after = walk.told()
    assert after == walk.true()
    assert [table for table in ANSWERS if after[table] == before[table]] == []
    assert walk.untranslated() == [row[3] for row in after["fct_runs"]].count("unknown") == 1
    assert run(walk.warehouse, "select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
