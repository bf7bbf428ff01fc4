"""Which foreign keys lead from changed rows to the groups of a mart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.marts.influence import NoWayToGroup, influence
from dagster_project.marts.postgres.touching import Touching
from tests.unit.marts.projects import contract

SHOP = contract(
    countries={},
    customers={"country_id": "countries", "recommended_by": "customers"},
    orders={"customer_id": "customers"},
    lines={"order_id": "orders", "product_id": "products"},
    products={},
    prices={"product_id": "products"},
    notes={"customer_id": "customers"},
    suppliers={},
)


def shown(hops: object) -> list[str]:
    return [str(hop) for hop in hops]  # type: ignore[attr-defined]


def test_rows_that_belong_to_a_group_lead_up_to_it() -> None:
    ways = influence(SHOP, "customers", {"lines", "orders"}, is_compared=lambda _: False)
    assert shown(ways.upward) == ["lines(order_id) -> orders", "orders(customer_id) -> customers"]
    assert (ways.downward, ways.sideways, ways.within) == ((), (), ())
    assert ways.owned == {"customers", "orders", "lines"}


def test_rows_that_are_seen_lead_down_and_then_up() -> None:
    ways = influence(SHOP, "orders", {"countries", "customers", "lines", "products"}, is_compared=lambda _: False)
    assert shown(ways.upward) == ["lines(order_id) -> orders"]
    assert shown(ways.downward)[0] == "customers(country_id) -> countries"
    assert set(shown(ways.downward)[1:]) == {"orders(customer_id) -> customers", "lines(product_id) -> products"}


def test_rows_beside_lead_up_to_a_row_that_they_share() -> None:
    ways = influence(SHOP, "orders", {"customers", "notes"}, is_compared=lambda _: False)
    assert shown(ways.sideways) == ["notes(customer_id) -> customers"]
    assert shown(ways.downward) == ["orders(customer_id) -> customers"]


def test_rows_may_share_a_row_that_nothing_reads() -> None:
    ways = influence(SHOP, "orders", {"lines", "prices"})
    assert shown(ways.sideways) == ["prices(product_id) -> products"]
    assert shown(ways.downward) == ["lines(product_id) -> products"]
    assert shown(ways.upward) == ["lines(order_id) -> orders"]


def test_group_needs_not_be_read_itself() -> None:
    assert shown(influence(SHOP, "orders", {"lines"}).upward) == ["lines(order_id) -> orders"]


@pytest.mark.parametrize("is_compared", [True, False])
def test_rows_of_one_table_see_each_other_where_sql_compares_their_key(is_compared: bool) -> None:
    ways = influence(SHOP, "customers", {"customers"}, is_compared=lambda column: is_compared and column == "recommended_by")
    assert shown(ways.within) == (["customers(recommended_by) -> customers"] if is_compared else [])


@pytest.mark.parametrize("is_compared", [True, False])
def test_key_that_leads_back_is_looked_up_where_sql_compares_it(is_compared: bool) -> None:
    teams = contract(teams={"owner_id": "people"}, people={"team_id": "teams"})
    ways = influence(teams, "teams", {"people"}, is_compared=lambda _: is_compared)
    assert shown(ways.upward) == ["people(team_id) -> teams"]
    assert shown(ways.downward) == (["teams(owner_id) -> people"] if is_compared else [])


def test_key_that_no_sql_reads_is_not_followed() -> None:
    tables = contract(runs={}, models={"run_id": "runs"}, metrics={"run_id": "runs", "model_id": "models"})
    ways = influence(tables, "models", {"runs", "metrics"}, is_read=lambda hop: str(hop) != "metrics(run_id) -> runs")
    assert shown(ways.hops) == ["models(run_id) -> runs", "metrics(model_id) -> models"]
    assert "metrics(run_id) -> runs" in shown(influence(tables, "models", {"runs", "metrics"}).downward)


def test_table_without_a_way_is_named() -> None:
    with pytest.raises(NoWayToGroup, match=r"^no foreign key leads from shop\.suppliers to shop\.orders"):
        influence(SHOP, "orders", {"lines", "suppliers"})


def test_table_that_is_read_is_named_and_not_what_it_shares_with_another() -> None:
    apart = contract(addresses={}, orders={}, shops={"address_id": "addresses"}, staff={"address_id": "addresses"})
    with pytest.raises(NoWayToGroup, match=r"from shop\.shops to shop\.orders"):
        influence(apart, "orders", {"shops", "staff"})


def test_what_tables_beside_the_groups_share_is_not_looked_for() -> None:
    shop = contract(
        countries={}, addresses={}, makers={}, orders={"address_id": "addresses", "country_id": "countries"},
        shops={"address_id": "addresses", "maker_id": "makers"}, staff={"address_id": "addresses", "maker_id": "makers"},
        taxes={"country_id": "countries"},
    )  # fmt: skip
    ways = influence(shop, "orders", {"addresses", "shops", "staff", "taxes"})
    assert {str(hop) for hop in ways.sideways} == {
        "shops(address_id) -> addresses",
        "staff(address_id) -> addresses",
        "taxes(country_id) -> countries",
    }


def test_key_that_is_declared_and_not_used_is_named() -> None:
    with pytest.raises(
        NoWayToGroup, match=r"; lines\(order_id\) -> orders is declared, but the SQL makes no use of it; declare the key by"
    ):
        influence(SHOP, "orders", {"lines"}, is_read=lambda hop: str(hop) != "lines(order_id) -> orders")


def test_circle_is_named() -> None:
    round_about = contract(groups={}, a={"group_id": "groups", "b_id": "b"}, b={"group_id": "groups", "a_id": "a"})
    with pytest.raises(NoWayToGroup, match="refer to each other in a circle"):
        influence(round_about, "groups", {"a", "b"})


@given(st.data())
def test_table_reaches_the_group_up_then_down_then_up_or_is_named(data: st.DataObject) -> None:
    """In a system of tables that only refer to earlier ones."""
    names = [f"t{number}" for number in range(data.draw(st.integers(2, 6)))]
    parents = {name: data.draw(st.sets(st.sampled_from(names[:number]))) if number else set() for number, name in enumerate(names)}
    group, behind = data.draw(st.sampled_from(names)), data.draw(st.sets(st.sampled_from(names)))
    read = behind | {group}
    # A parent of two tables ties them together, though nothing reads it.
    tied = {name for name in names if sum(name in parents[child] for child in read) > 1}

    def reached(tables: set[str], steps: set[tuple[str, str]]) -> set[str]:
        for _ in names:
            tables = tables | {end for begin, end in steps if begin in tables}
        return tables

    def lost_among(tables: set[str]) -> set[str]:
        up = {(child, parent) for child in read for parent in parents[child] if parent in tables}
        down = {(parent, child) for child, parent in up}
        return {table for table in behind if group not in reached(reached(reached({table}, up), down), up)}

    lost = lost_among(read) and lost_among(read | tied)
    keys = {name: {f"{parent}_id": parent for parent in parents[name]} for name in names}
    if lost:
        with pytest.raises(NoWayToGroup, match=rf"from shop\.({'|'.join(lost)}) to"):
            influence(contract(**keys), group, behind)
        return
    ways = influence(contract(**keys), group, behind)
    followed = {(hop.child, hop.parent) for hop in (*ways.sideways, *ways.upward)} | {(hop.parent, hop.child) for hop in ways.downward}
    assert all(group in reached({table}, followed) for table in behind)


def test_what_leads_to_a_table_is_followed_before_the_table_where_a_key_leads_back_too() -> None:
    tables = contract(
        experiments={},
        runs={"experiment_id": "experiments", "best_id": "models"},
        models={"run_id": "runs"},
        metrics={"model_id": "models"},
        details={"metric_id": "metrics"},
    )
    ways = influence(tables, "experiments", {"runs", "models", "metrics", "details"})
    assert [*ways.outward] == ["experiments", "runs", "models", "metrics", "details"]
    query = Touching(tables, ways, seen=5).query()
    # A changed detail touches its metric, by which its model is found.
    assert query.index('"metrics" as (') < query.index('inner join "metrics" as touched') < query.index('inner join "models" as touched')
