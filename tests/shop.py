"""A small system with a dbt project of its own: orders of customers, whose worth hangs on rows several keys away.

Belongs here: its source, its contract and its models, in folders as in the checkout. Does not belong here: what is expected of them.

No model reads products, which prices and order lines share; staging calls columns otherwise than the source.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from dagster_project.settings import DBT_PROJECT

SYSTEM = "shop"

SOURCE = """
create table countries (country_id integer primary key, tax numeric(6, 2) not null);
create table customers (
    customer_id integer primary key,
    country_id integer not null references countries,
    recommended_by integer references customers
);
create table products (product_id integer primary key);
create table prices (price_id integer primary key, product_id integer not null references products, amount numeric(12, 2) not null);
create table orders (order_id integer primary key, customer_id integer not null references customers);
create table order_lines (
    line_id integer primary key,
    order_id integer not null references orders,
    product_id integer not null references products,
    quantity integer not null
);
create table suppliers (supplier_id integer primary key, country text not null);

insert into countries values (1, 0), (2, 7);
insert into customers values (1, 1, null), (2, 2, 1), (3, 1, 1);
insert into products values (1), (2);
insert into prices values (1, 1, 10), (2, 2, 1);
insert into orders values (1, 1), (2, 1), (3, 2);
insert into order_lines values (1, 1, 1, 3), (2, 1, 2, 4), (3, 2, 2, 1), (4, 3, 1, 2);
insert into suppliers values (1, 'A');
"""

CONTRACT = """
type: dagster_project.components.source_system.SourceSystem

attributes:
  system: shop
  description: Orders of customers.
  capture: horizon
  freshness: {warn_after_hours: 2, error_after_hours: 24}
  tables:
    countries: {description: c, key: [country_id], columns: [country_id, tax]}
    customers:
      description: c
      key: [customer_id]
      columns: [customer_id, country_id, recommended_by]
      foreign_keys: {country_id: countries.country_id, recommended_by: customers.customer_id}
    products: {description: p, key: [product_id], columns: [product_id]}
    prices:
      description: p
      key: [price_id]
      columns: [price_id, product_id, amount]
      foreign_keys: {product_id: products.product_id}
    orders:
      description: o
      key: [order_id]
      columns: [order_id, customer_id]
      foreign_keys: {customer_id: customers.customer_id}
    order_lines:
      description: l
      key: [line_id]
      columns: [line_id, order_id, product_id, quantity]
      foreign_keys: {order_id: orders.order_id, product_id: products.product_id}
    suppliers: {description: s, key: [supplier_id], columns: [supplier_id, country]}
"""

# By table, its columns under the names of staging.
_STAGING = {
    "countries": "country_id as land, tax",
    "customers": "customer_id, country_id as land, recommended_by as patron",
    "prices": "price_id, product_id as article, amount",
    "orders": "order_id, customer_id as buyer",
    "order_lines": "line_id, order_id as order_number, product_id as article, quantity",
    "suppliers": "supplier_id, country",
}

_WORTH = """
select
    customers.customer_id,
    cast(coalesce(sum(lines.quantity * prices.amount * (100 + countries.tax)), 0) as numeric(20, 4)) as worth,
    {{ refresh_columns() }}
from {{ ref('stg_shop__customers') }} as customers
inner join {{ ref('stg_shop__countries') }} as countries on customers.land = countries.land
left join {{ ref('stg_shop__orders') }} as orders on customers.customer_id = orders.buyer
left join {{ ref('stg_shop__order_lines') }} as lines on orders.order_id = lines.order_number
left join {{ ref('stg_shop__prices') }} as prices on lines.article = prices.article
group by customers.customer_id
"""

# By mart, its SQL.
MARTS = {
    "worth": _WORTH,
    # Its rule by hand names no row at all.
    "worth_by_rule": _WORTH,
    "worth_in_subqueries": """
select
    customers.customer_id,
    cast(coalesce((
        select sum(
            lines.quantity
            * (select sum(prices.amount) from {{ ref('stg_shop__prices') }} as prices where prices.article = lines.article)
            * (select 100 + tax from {{ ref('stg_shop__countries') }} as countries where countries.land = customers.land)
        )
        from {{ ref('stg_shop__order_lines') }} as lines
        where lines.order_number in (
            select order_id from {{ ref('stg_shop__orders') }} as orders where orders.buyer = customers.customer_id
        )
    ), 0) as numeric(20, 4)) as worth,
    {{ refresh_columns() }}
from {{ ref('stg_shop__customers') }} as customers
""",
    "orders_in_windows": """
select
    orders.order_id,
    orders.buyer,
    cast(count(*) over (partition by orders.buyer) as bigint) as orders_of_buyer,
    exists (
        select 1
        from {{ ref('stg_shop__order_lines') }} as lines
        inner join {{ ref('stg_shop__prices') }} as prices on lines.article = prices.article
        where lines.order_number = orders.order_id and prices.amount > 5
    ) as is_dear,
    {{ refresh_columns() }}
from {{ ref('stg_shop__orders') }} as orders
""",
    "recommendations": """
select
    patron as customer_id,
    cast(count(*) as bigint) as recommended,
    {{ refresh_columns() }}
from {{ ref('stg_shop__customers') }}
where patron is not null
group by patron
""",
    "tax_by_macro": """
select
    customers.customer_id,
    countries.tax,
    {{ refresh_columns() }}
from {{ ref('stg_shop__customers') }} as customers
inner join {{ ref('stg_shop__countries') }} as countries on {{ same_land() }}
""",
    "worth_read_again": """
select
    customer_id,
    worth + {{ var('gift') }} as worth_with_gift,
    {{ refresh_columns() }}
from {{ ref('worth') }}
""",
}

_CUSTOMER = {"customer_id": "integer"}
_WORTH_COLUMNS = {**_CUSTOMER, "worth": "numeric(20, 4)"}
_COLUMNS = {
    "worth": _WORTH_COLUMNS,
    "worth_by_rule": _WORTH_COLUMNS,
    "worth_in_subqueries": _WORTH_COLUMNS,
    "orders_in_windows": {"order_id": "integer", "buyer": "integer", "orders_of_buyer": "bigint", "is_dear": "boolean"},
    "recommendations": {**_CUSTOMER, "recommended": "bigint"},
    "tax_by_macro": {**_CUSTOMER, "tax": "numeric(6, 2)"},
    "worth_read_again": {**_CUSTOMER, "worth_with_gift": "numeric"},
}
_META = {
    "worth_by_rule": "touched_by: [int_shop__nothing], group: {table: shop.customers}",
    "orders_in_windows": "group: {table: shop.customers, columns: {buyer: customer_id}}",
}
_RULE = "select customer_id, cast(null as timestamp) as due_at from {{ ref('stg_shop__customers') }} where false"

_ANSWER = """
select customer_id, coalesce(sum(quantity * amount * (100 + tax)), 0)
from customers natural join countries left join orders using (customer_id) left join order_lines using (order_id)
left join prices using (product_id) group by customer_id
"""
# By mart, the query of the source that its rows must be, but for what names the refresh.
ANSWERS = {
    "worth": _ANSWER,
    "worth_by_rule": _ANSWER,
    "worth_in_subqueries": _ANSWER,
    "orders_in_windows": """
select order_id, customer_id, (select count(*) from orders as o where o.customer_id = orders.customer_id),
coalesce((select max(amount) from order_lines natural join prices where order_id = orders.order_id), 0) > 5 from orders
""",
    "recommendations": "select recommended_by, count(*) from customers where recommended_by is not null group by 1",
    "tax_by_macro": "select customer_id, tax from customers natural join countries",
    "worth_read_again": f"select customer_id, coalesce + 5 from ({_ANSWER}) as answer",
}


def columns_of(mart: str) -> list[str]:
    """The columns of a mart, but for those that name the refresh."""
    return [*_COLUMNS[mart]]


def _mart_yaml(mart: str) -> str:
    columns = {**_COLUMNS[mart], "refreshed_at": "timestamptz", "source_batch_id": "bigint"}
    key = next(iter(columns))
    lines = [f"  - {{name: {name}, data_type: '{kind}', data_tests: [{'unique' * (name == key)}]}}" for name, kind in columns.items()]
    meta = _META.get(mart, "group: {table: shop.customers}")
    return "\n".join(["version: 2", "models:", f"- name: {mart}", f"  config: {{meta: {{{meta}}}}}", "  columns:", *lines, ""])


def _files() -> dict[str, str]:
    models = "dbt_project/models"
    tables = "\n".join(f"  - {{name: {table}}}" for table in _STAGING)
    return {
        "dagster_project/defs/sources/shop/defs.yaml": CONTRACT,
        f"{models}/staging/shop/_shop__sources.yml": f"version: 2\nsources:\n- name: shop\n  schema: raw_shop\n  tables:\n{tables}\n",
        **{
            f"{models}/staging/shop/stg_shop__{table}.sql": f"select {columns} from ({{{{ live_rows(source('shop', '{table}')) }}}}) as s"
            for table, columns in _STAGING.items()
        },
        f"{models}/intermediate/shop/int_shop__nothing.sql": _RULE,
        f"{models}/intermediate/shop/int_shop__nothing.yml": "version: 2\nmodels:\n- name: int_shop__nothing\n"
        "  config: {meta: {touches: shop.customers}}\n",
        "dbt_project/macros/shop/same_land.sql": "{% macro same_land() %}customers.land = countries.land{% endmacro %}",
        **{f"{models}/marts/shop/{mart}.sql": query for mart, query in MARTS.items()},
        **{f"{models}/marts/shop/{mart}.yml": _mart_yaml(mart) for mart in MARTS},
    }


FILES: Mapping[str, str] = _files()


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, over those that are there."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def make_project(root: Path) -> Path:
    """The system and the dbt project, with Runmart's macros and none of its models, in a folder that there is not yet."""
    shutil.copytree(DBT_PROJECT / "macros", root / "dbt_project" / "macros")
    shutil.copy(DBT_PROJECT / "profiles.yml", root / "dbt_project")
    project = (DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    write(root, {**FILES, "dbt_project/dbt_project.yml": project.replace("\nvars:\n", "\nvars:\n  gift: 5\n")})
    return root
