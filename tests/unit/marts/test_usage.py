"""Which columns of raw tables SQL makes use of."""

import pytest

from dagster_project.marts.usage import Usage, looked_up, relations_read

RAW = {("raw_shop", "orders"): ("id", "customer_id", "total", "note"), ("raw_shop", "customers"): ("id", "name", "country_id")}
VIEWS = {
    (
        "staging",
        "orders",
    ): 'with source as (select * from "w"."raw_shop"."orders") select id as order_id, customer_id, total, note from source',
    ("staging", "customers"): 'select * from "w"."raw_shop"."customers"',
}
ORDERS, CUSTOMERS = RAW


@pytest.mark.parametrize(
    ("query", "used"),
    [
        ('select total from "w"."staging"."orders"', {ORDERS: {"total"}}),
        ('with o as (select * from "w"."staging"."orders") select order_id from o', {ORDERS: {"id"}}),
        ('select count(*) as number from "w"."staging"."orders" group by customer_id', {ORDERS: {"customer_id"}}),
        (
            'select o.total, c.name from "w"."staging"."orders" as o left join "w"."staging"."customers" as c on o.customer_id = c.id',
            {ORDERS: {"total", "customer_id"}, CUSTOMERS: {"id", "name"}},
        ),
        ('select total from "w"."staging"."orders" where note is null', {ORDERS: {"total", "note"}}),
        (
            'select c.name, l.total from "w"."staging"."customers" as c'
            ' cross join lateral (select max(o.total) as total from "w"."staging"."orders" as o where o.customer_id = c.id) as l',
            {ORDERS: {"total", "customer_id"}, CUSTOMERS: {"id", "name"}},
        ),
        (
            'select total, row_number() over (partition by customer_id order by total) as place from "w"."staging"."orders"',
            {ORDERS: {"total", "customer_id"}},
        ),
        (
            'select name from "w"."staging"."customers" where id in (select customer_id from "w"."staging"."orders")',
            {ORDERS: {"customer_id"}, CUSTOMERS: {"id", "name"}},
        ),
        ('select total from "w"."staging"."orders" union all select 0 as total', {ORDERS: {"total"}}),
        ('select * from "w"."staging"."customers"', {CUSTOMERS: {"id", "name", "country_id"}}),
    ],
)
def test_columns_that_decide_what_a_query_gives_are_used(query: str, used: dict[tuple[str, str], set[str]]) -> None:
    assert Usage(VIEWS, RAW).columns_used(query) == used


def test_columns_of_marts_are_known_by_what_they_say() -> None:
    mart = "analytics_next", "worth"
    query = (
        'with worth as (select * from "w"."analytics_next"."worth"), o as (select * from "w"."raw_shop"."orders")'
        ", final as (select worth.*, o.total from worth inner join o on worth.customer_id = o.customer_id)"
        " select worth, total from final"
    )
    assert Usage(VIEWS, {**RAW, mart: ["customer_id", "worth", "name"]}).columns_used(query) == {
        ORDERS: {"customer_id", "total"},
        mart: {"customer_id", "worth"},
    }


def test_sql_that_nobody_understands_uses_everything() -> None:
    assert Usage(VIEWS, RAW).columns_used("select from where") == {relation: set(columns) for relation, columns in RAW.items()}


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ('select 1 from "w"."staging"."orders" as o, raw_shop.prices', {("staging", "orders"), ("raw_shop", "prices")}),
        ("with prices as (select 1 from raw_shop.prices) select * from prices", {("raw_shop", "prices")}),
        ("select 1 where exists (select from raw_shop.orders) or 1 in (select id from raw_shop.customers)", {ORDERS, CUSTOMERS}),
        ("select ops.json_or_null(a) from (values (1)) as t (a)", set()),
    ],
)
def test_relations_are_found_wherever_they_are_read(query: str, read: set[tuple[str, str]]) -> None:
    assert relations_read(query) == read


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ('select total / sum(total) over () as share from "w"."staging"."orders"', 1),
        ('select row_number() over (order by total) as place from "w"."staging"."orders"', 1),
        ('select sum(total) over w as sum from "w"."staging"."orders" window w as (order by total)', 1),
        ('select name, (select max(total) from "w"."staging"."orders") as most from "w"."staging"."customers"', 1),
        ('with most as (select max(total) as most from "w"."staging"."orders") select name, most from "w"."staging"."customers", most', 1),
        ('select total from "w"."staging"."orders" order by total limit 3', 1),
        ('select sum(total) over (partition by customer_id) as sum from "w"."staging"."orders"', 0),
        ('select sum(total) over w as sum from "w"."staging"."orders" window w as (partition by customer_id)', 0),
        ('select sum(total) filter (where total > 0) as sum from "w"."staging"."orders" group by customer_id', 0),
        (
            'select (select max(o.total) from "w"."staging"."orders" as o where o.customer_id = c.id) as most'
            ' from "w"."staging"."customers" as c',
            0,
        ),
        (
            'select l.total from "w"."staging"."customers" as c'
            ' cross join lateral (select max(o.total) as total from "w"."staging"."orders" as o where o.customer_id = c.id) as l',
            0,
        ),
        ("select max(number) as most from (values (1), (2)) as numbers (number)", 0),
        ("select from where", 0),
    ],
)
def test_what_is_computed_of_all_rows_is_found(query: str, parts: int) -> None:
    assert len(Usage(VIEWS, RAW).computed_of_all(query)) == parts


LATERAL = 'select * from "w"."staging"."customers" as c cross join lateral (select total from {orders} where {condition}) as l'


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (LATERAL.format(orders='"w"."staging"."orders" as o', condition="o.customer_id = c.id"), {("staging", "orders")}),
        (LATERAL.format(orders='"w"."staging"."orders" as o', condition="total > 0 and c.id = o.customer_id"), {("staging", "orders")}),
        # Not so many rows that looking them up is cheap.
        (LATERAL.format(orders='"w"."staging"."orders" as o', condition="o.customer_id > c.id"), set()),
        (LATERAL.format(orders='"w"."staging"."orders" as o', condition="o.customer_id = c.id or total > 0"), set()),
        # Another row of the same query is not one outside.
        (LATERAL.format(orders='"w"."staging"."orders" as o, "w"."staging"."orders" as p', condition="o.id = p.id"), set()),
        (
            LATERAL.format(orders='"w"."staging"."orders" as o', condition="o.customer_id = c.id")
            + ' where exists (select 1 from "w"."staging"."orders")',
            set(),
        ),
        ('select total from "w"."staging"."orders"', set()),
        ("select from where", set()),
    ],
)
def test_what_is_read_for_rows_outside_only_is_looked_up(query: str, found: set[tuple[str, str]]) -> None:
    assert looked_up(query) == found
