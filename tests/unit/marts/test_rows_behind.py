"""Which rows are behind a row of a mart: what is found first, and the conditions that find it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.influence import influence
from dagster_project.marts.lineage import MART, Group, Model
from dagster_project.marts.plan import VIEW, Family, Plan, make_plan
from dagster_project.marts.postgres.names import stand_in
from dagster_project.marts.postgres.rows_behind import RowsBehind
from tests.unit.marts.projects import contract, model, project

SHOP = contract(
    countries={},
    customers={"country_id": "countries", "recommended_by": "customers"},
    orders={"customer_id": "customers"},
    lines={"order_id": "orders", "product_id": "products"},
    products={},
    notes={"customer_id": "customers"},
)


def rows_behind(system: SystemContract, group: str, behind: set[str], *, is_compared: bool = False, **named: str) -> RowsBehind:
    ways = influence(system, group, behind, is_compared=lambda _: is_compared)
    family = Family("sales", Group("shop", group, named), ways, (), ("sales",))
    return RowsBehind(Plan(project(), {"shop": system}, (family,)), family, "mart")


def plain(conditions: list[str]) -> list[str]:
    """Conditions without quotes and line breaks."""
    return [" ".join(condition.replace('"', "").split()) for condition in conditions]


def found(rows: RowsBehind, wanted: set[str]) -> dict[str, list[str]]:
    tables = rows.tables(wanted)
    return {table: plain(rows.conditions(table, tables[:number])) for number, table in enumerate(tables)}


def test_rows_that_belong_to_the_group_are_found_though_its_own_is_not_there() -> None:
    assert found(rows_behind(SHOP, "orders", {"lines"}), {"lines"}) == {
        "orders": ["(raw.id) in ( select id from mart )"],
        "lines": [
            "(raw.order_id) in ( select id from pg_temp.raw_shop.orders union all select id from ( select id from mart ) as groups )",
        ],
    }


def test_rows_that_are_seen_are_found_by_those_that_see_them_and_rows_beside_by_these() -> None:
    rows = found(rows_behind(SHOP, "orders", {"customers", "countries", "notes"}), {"customers", "countries", "notes"})
    assert rows["customers"] == ["(raw.id) in ( select customer_id from pg_temp.raw_shop.orders )"]
    assert rows["countries"] == ["(raw.id) in ( select country_id from pg_temp.raw_shop.customers )"]
    # A customer who is not there may have notes.
    assert rows["notes"] == [
        "(raw.customer_id) in ( select id from pg_temp.raw_shop.customers union all select customer_id from pg_temp.raw_shop.orders )"
    ]


def test_rows_that_refer_to_each_other_are_found() -> None:
    rows = found(rows_behind(SHOP, "customers", {"customers"}, is_compared=True), {"customers"})
    assert rows["customers"] == [
        "(raw.id) in ( select id from mart )",
        "(raw.recommended_by) in ( select id from pg_temp.raw_shop.customers )",
        "(raw.id) in ( select recommended_by from pg_temp.raw_shop.customers )",
    ]


def test_group_is_found_by_the_columns_that_name_it_and_by_rows_that_refer_to_it() -> None:
    rows = rows_behind(SHOP, "orders", {"lines"}, source="'shop'", number="cast(id as text)")
    assert plain(rows.conditions("orders", [])) == [
        "(raw.id) in ( select id from ( select id from raw_shop.orders union all "
        "select id from (select order_id as id from raw_shop.lines) as referring ) as known "
        "where ('shop', cast(id as text)) in (select source, number from mart) )"
    ]


def test_only_tables_that_lead_to_wanted_rows_are_looked_through() -> None:
    rows = rows_behind(SHOP, "customers", {"countries", "lines", "notes", "orders"})
    assert rows.tables({"lines"}) == ["customers", "orders", "lines"]
    assert rows.tables({"countries"}) == ["customers", "countries"]


def test_what_hangs_on_rows_that_do_not_bear_is_not_found() -> None:
    rows = rows_behind(SHOP, "customers", {"lines", "orders"})
    assert rows.conditions("lines", ["customers"]) == []


@given(st.data())
def test_every_table_behind_is_found_after_what_it_is_found_by(data: st.DataObject) -> None:
    names = [f"t{number}" for number in range(data.draw(st.integers(1, 6)))]
    keys = {
        name: {f"{parent}_id": parent for parent in data.draw(st.sets(st.sampled_from(names[:number])))} if number else {}
        for number, name in enumerate(names)
    }
    # One foreign key back, as of the best of the models of a run.
    if data.draw(st.booleans()) and names[1:]:
        keys[names[0]]["best_id"] = data.draw(st.sampled_from(names[1:]))
    system, group = contract(**keys), names[0]
    up = {(child, parent) for child in names for parent in keys[child].values()}
    belonging = {group}
    for _ in names:
        belonging |= {child for child, parent in up if parent in belonging}
    rows = rows_behind(system, group, belonging, is_compared=True)
    assert {*found(rows, belonging)} == belonging
    assert all(found(rows, belonging).values())


SALES = model("sales", MART, group=("shop", "orders"), tables=("orders", "lines"), columns=("id", "total"))


@pytest.mark.parametrize(
    ("view", "is_explained"),
    [
        (model("shown", VIEW, models=("sales",), columns=("id",)), True),
        (model("shown", VIEW, models=("between",), columns=("total", "id")), True),
        (model("shown", VIEW, models=("sales",), columns=("total",)), False),
        (model("shown", VIEW, columns=("id",)), False),
    ],
)
def test_view_is_explained_as_the_marts_that_it_shows(view: Model, is_explained: bool) -> None:
    between = model("between", VIEW, models=("sales",), columns=("id", "total"))
    plan = make_plan(project(SALES, between, view), {"shop": SHOP})
    assert [family.name for family in plan.families_behind("shown")] == (["sales"] if is_explained else [])


def test_stand_ins_are_named_after_their_relations() -> None:
    assert stand_in("raw_shop", "orders") == ("pg_temp", "raw_shop.orders")


@given(st.text(min_size=1, max_size=63), st.lists(st.text(min_size=1, max_size=63), min_size=2, max_size=2, unique=True))
def test_long_names_of_stand_ins_stay_apart(schema: str, names: list[str]) -> None:
    one, other = (stand_in(f"raw_{schema}", name)[1] for name in names)
    assert one != other
    assert max(len(one.encode()), len(other.encode())) <= 63
