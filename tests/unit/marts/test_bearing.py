"""Which rows a mart says to bear on its columns: the conditions that follow, and what is refused."""

from typing import Any

import pytest

from dagster_project.marts.bearing import Bearing, bearings_of, condition
from dagster_project.marts.lineage import MART, MartDeclarationError
from dagster_project.marts.plan import make_plan
from tests.unit.marts.projects import contract, model, project

METRICS = Bearing("(?P<split>validation|test)_(?P<metric>mae|rmse)(_.+)?", "raw.name = '{metric}' and raw.split = '{split}'")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("test_mae", "(raw.name = 'mae' and raw.split = 'test')"),
        ("validation_rmse_best", "(raw.name = 'rmse' and raw.split = 'validation')"),
        ("test_mape", None),
        ("my_test_mae", None),
    ],
)
def test_rows_bear_on_columns_that_match_in_full(column: str, expected: str | None) -> None:
    assert condition([METRICS], [column]) == expected


def test_rows_that_bear_on_any_column_bear_on_a_whole_row() -> None:
    columns = ["model_id", "test_mae", "test_mae_best", "test_rmse"]
    assert condition([METRICS], columns) == "(raw.name = 'mae' and raw.split = 'test') or (raw.name = 'rmse' and raw.split = 'test')"
    assert condition([METRICS, Bearing("model_.+")], columns) == "true"


def test_all_rows_of_a_table_bear_of_which_nothing_is_said_and_none_where_no_entry_is() -> None:
    assert condition(None, ["test_mae"]) == "true"
    assert condition([], ["test_mae"]) is None


def test_group_that_took_no_part_is_empty() -> None:
    assert condition([Bearing("(?P<open>open_)?total", "raw.state like '{open}%'")], ["total"]) == "(raw.state like '%')"


SHOP = contract(customers={}, orders={"customer_id": "customers"}, lines={"order_id": "orders"})


def shop(bears_on: dict[str, Any], **more: Any) -> Any:  # noqa: ANN401
    """The mart sales, of orders and their lines, that says this."""
    return project(
        model("sales", MART, group=("shop", "orders"), tables=("orders", "lines"), bears_on=bears_on, columns=("id", "total"), **more)
    )


def test_what_is_said_is_found_by_table() -> None:
    said = {"shop.lines": [{"columns": "total", "where": "raw.amount > 0"}], "shop.orders": []}
    assert bearings_of(shop(said), "sales") == {("shop", "lines"): (Bearing("total", "raw.amount > 0"),), ("shop", "orders"): ()}


@pytest.mark.parametrize(
    ("bears_on", "message"),
    [
        (
            {"shop.customers": []},
            r"^model sales says which rows of shop\.customers bear on its columns, and none are behind it; "
            r"name one of shop\.lines, shop\.orders$",
        ),
        ({"lines": []}, r"rows of lines bear on its columns, and none are behind it"),
        (
            {"shop.lines": [{"column": "total"}]},
            r"^`bears_on` of model sales for shop\.lines has column; an entry may have: columns, where$",
        ),
        ({"shop.lines": [{"columns": "(total"}]}, r"for shop\.lines: missing \), unterminated subpattern"),
        (
            {"shop.lines": [{"where": "raw.kind = '{kind}'"}]},
            r"for shop\.lines: 'kind' in columns '\.\*', where \"raw\.kind = '\{kind\}'\"$",
        ),
        ({"shop.lines": [{"columns": "sum"}]}, r"for shop\.lines: sales has no column that is 'sum'; leave the entry out, or correct it$"),
    ],
)
def test_what_does_not_fit_stops_the_parse(bears_on: dict[str, Any], message: str) -> None:
    with pytest.raises(MartDeclarationError, match=message):
        make_plan(shop(bears_on), {"shop": SHOP})
