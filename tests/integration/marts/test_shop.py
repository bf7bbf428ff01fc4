"""A mart of one's own cannot be refreshed wrongly: however it is written, it equals the source, or Runmart stops and says what to declare.

Belongs here: a small system, every kind of change in it, and every wrong way that somebody has thought of. Does not belong here: the marts
of this project, whose oracle is a full rebuild (`oracle`).
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from dbt.cli.main import dbtRunner
from psycopg2.extensions import parse_dsn

from dagster_project.contracts import loading
from dagster_project.marts.definition import definition
from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import upgrade
from tests import shop
from tests.databases import run
from tests.integration.marts.conftest import House

PROJECT_FILE = "dbt_project/dbt_project.yml"
CONTRACT_FILE = "dagster_project/defs/sources/shop/defs.yaml"
MARTS = "dbt_project/models/marts/shop"

Rows: TypeAlias = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def server_of_the_shop(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """A server with a source and a warehouse, which dbt is told of."""
    for name in ("shop", "shop_marts"):
        server.ensure_database(name)
    upgrade("warehouse", server.url("shop_marts"))
    with pytest.MonkeyPatch.context() as environment:
        parts = parse_dsn(server.url("shop_marts"))
        for name, part in (("HOST", "host"), ("USER", "user"), ("NAME", "dbname")):
            environment.setenv(f"RUNMART_DBT_{name}", parts[part])
        environment.setenv("DBT_POPULATE_CACHE", "false")
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is right."""
    return shop.make_project(tmp_path_factory.mktemp("shop") / "right")


@pytest.fixture
def contracts_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let whoever loads contracts in this process find those of a folder."""
    load = loading.load_contracts

    def find(root: Path) -> None:
        monkeypatch.setattr(loading, "load_contracts", lambda: load(root / "dagster_project" / "defs" / "sources"))

    return find


@pytest.fixture
def house(server_of_the_shop: EmbeddedServer, project: Path, tmp_path: Path, contracts_of: Callable[[Path], None]) -> House:
    """A house of a copy of the project, whose source is as at the beginning."""
    run(server_of_the_shop.url("shop"), f"drop schema public cascade; create schema public; {shop.SOURCE}")
    root = shutil.copytree(project, tmp_path / "root")
    contracts_of(root)
    source, warehouse, other = (server_of_the_shop.url(name) for name in ("shop", "shop_marts", "postgres"))
    return House({shop.SYSTEM: source}, warehouse, other, tmp_path / "work", root, shop.SYSTEM)


def wrong(house: House) -> dict[str, tuple[Rows, Rows]]:
    """By mart, what it says and what the source says, where these differ."""
    said = {mart: sorted(house.warehouse(f"select {', '.join(shop.columns_of(mart))} from analytics.{mart}")) for mart in shop.MARTS}
    answers = {mart: sorted(house.source(query)) for mart, query in shop.ANSWERS.items()}
    assert said.keys() == answers.keys()
    return {mart: (said[mart], answers[mart]) for mart in said if said[mart] != answers[mart]}


CHANGES = {
    "a row of the far parent changes": "update prices set amount = 33333 where price_id = 2",
    "another far parent changes": "update countries set tax = 19 where country_id = 2",
    "rows come": "insert into orders values (4, 3); insert into order_lines values (5, 4, 2, 7); insert into prices values (3, 1, 0.5)",
    "a row goes": "delete from order_lines where line_id = 4",
    "a far row goes": "delete from prices where price_id = 2",
    "a row gets another parent": "update orders set customer_id = 3 where order_id = 1",
    "a row far down gets another parent": "update order_lines set order_id = 3, product_id = 1 where line_id = 2",
    "a far row gets another parent": "update prices set product_id = 2 where price_id = 3",
    "the group's own parents change": "update customers set country_id = 2, recommended_by = 2 where customer_id = 3",
    "a group goes, with what is its own": "delete from order_lines where order_id in (2, 3, 1); delete from orders where customer_id <> 3;"
    " update customers set recommended_by = null; delete from customers where customer_id = 1",
}


def test_marts_equal_the_source_after_every_change(house: House) -> None:
    house.sync()
    house.build()
    assert wrong(house) == {}
    for change, statement in CHANGES.items():
        house.source(statement)
        house.sync()
        house.build()
        assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)], change
        assert wrong(house) == {}, change


def test_another_variable_is_another_project(house: House) -> None:
    house.sync()
    house.build()
    before = definition(house.root)
    text = (house.root / PROJECT_FILE).read_text(encoding="utf-8")
    shop.write(house.root, {PROJECT_FILE: text.replace("gift: 5", "gift: 1000")})
    assert definition(house.root) != before
    house.parse()
    house.build()
    assert house.warehouse("select min(worth_with_gift) >= 1000 from analytics.worth_read_again") == [(True,)]


WORTH = shop.MARTS["worth"]
WORTH_FILE, WORTH_YAML = f"{MARTS}/worth.sql", f"{MARTS}/worth.yml"
BY_SUPPLIER = "inner join {{ ref('stg_shop__suppliers') }} as suppliers on suppliers.country = cast(customers.land as text)\ngroup by"
OTHER_SOURCE = "version: 2\nsources: [{name: other, schema: raw_shop, tables: [{name: prices}]}]\n"


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """One file of the project, changed in one place."""
    assert shop.FILES[file].count(old) == 1
    return {file: shop.FILES[file].replace(old, new)}


# What somebody forgets, and what the parse says of it.
STOPPED_BY_THE_PARSE = {
    "no foreign key from a table on the way": (
        changed(CONTRACT_FILE, "      foreign_keys: {customer_id: customers.customer_id}\n", ""),
        r"mart \w+: no foreign key leads from shop\.order\w+ to shop\.customers, .* declare the key by which the SQL joins order\w+ in the "
        r"contract of shop \(`foreign_keys`\)",
    ),
    "no foreign key from a far parent": (
        changed(CONTRACT_FILE, "      foreign_keys: {product_id: products.product_id}\n", ""),
        r"mart \w+: no foreign key leads from shop\.prices to shop\.customers, .* declare the key by which the SQL joins prices",
    ),
    "a table that no key reaches at all": (
        changed(WORTH_FILE, "group by", BY_SUPPLIER),
        r"mart worth: no foreign key leads from shop\.suppliers to shop\.customers, .* or say `group: whole`",
    ),
    "groups of a table that is not behind the mart": (
        changed(WORTH_YAML, "table: shop.customers", "table: shop.suppliers, columns: {customer_id: supplier_id}"),
        r"mart worth: no foreign key leads from shop\.countries to shop\.suppliers",
    ),
    "groups of a table that nobody declares": (
        changed(WORTH_YAML, "table: shop.customers", "table: shop.clients"),
        r"mart worth has rows of shop\.clients as its groups, which no contract declares",
    ),
    "groups that no column names": (
        changed(WORTH_YAML, "table: shop.customers", "table: shop.orders"),
        r"mart worth has no column order_id, which would say to which row of shop\.orders its rows belong; add it, or name the column",
    ),
    "no groups": (
        changed(WORTH_YAML, "group: {table: shop.customers}", ""),
        r"mart worth does not say by what groups it is recomputed; declare `group: \{table: <system>\.<table>\}`",
    ),
    "no grain": (
        changed(WORTH_YAML, "[unique]", "[]"),
        r"mart worth does not say by which columns a row is identified; give it the test `unique`",
    ),
    "a table of no contract": (
        changed(WORTH_FILE, "{{ ref('stg_shop__prices') }}", "{{ source('other', 'prices') }}")
        | {"dbt_project/models/staging/other.yml": OTHER_SOURCE},
        r"mart worth reads other\.prices, which no contract declares, so that nothing tells when its rows change",
    ),
}


@pytest.mark.parametrize("wrong_way", STOPPED_BY_THE_PARSE)
def test_parse_stops_at_what_was_forgotten(project: Path, tmp_path: Path, contracts_of: Callable[[Path], None], wrong_way: str) -> None:
    files, message = STOPPED_BY_THE_PARSE[wrong_way]
    root = shutil.copytree(project, tmp_path / "root")
    shop.write(root, files)
    contracts_of(root)
    folders = [str(root / "dbt_project"), str(tmp_path / "target"), str(tmp_path / "logs")]
    options = [each for option in zip(("--project-dir", "--target-path", "--log-path"), folders, strict=True) for each in option]
    result = dbtRunner().invoke(["parse", "--quiet", *options, "--profiles-dir", folders[0]])
    assert not result.success
    assert re.search(message, " ".join(str(result.exception).split())), result.exception


# What only the SQL as dbt compiles it shows, and what a refresh says of it, which then publishes nothing.
STOPPED_BY_THE_REFRESH = {
    "a raw table by its name": (
        changed(WORTH_FILE, "{{ ref('stg_shop__prices') }}", "(select product_id as article, amount from raw_shop.prices)"),
        r"model worth reads raw_shop\.prices by its name, so that nobody notices when it changes; read it by `ref` or `source`",
    ),
    "staging by a name that is made up": (
        changed(WORTH_FILE, "{{ ref('stg_shop__prices') }}", "{{ target.schema }}.stg_shop__{{ 'prices' }}"),
        r"model worth reads staging\.stg_shop__prices by its name",
    ),
    "a join by something else than the key that is declared": (
        changed(WORTH_FILE, "lines.article = prices.article", "lines.line_id = prices.price_id"),
        r"mart \w+: no foreign key leads from shop\.prices to shop\.customers.*; prices\(product_id\) -> products is declared, but the SQL "
        r"makes no use of it",
    ),
    "a share of the total": (
        changed(WORTH_FILE, "cast(coalesce(", "cast(count(*) over () + coalesce("),
        r"mart worth is recomputed by rows of shop\.customers, but worth computes .* OVER \(\) of all rows at once, .*; say `group: whole`",
    ),
    "a grain that is no key": (
        changed(WORTH_FILE, "group by customers.customer_id", "group by customers.customer_id, orders.order_id"),
        r"unique_worth_customer_id: Got 1 result, configured to fail if != 0",
    ),
}


@pytest.mark.parametrize("wrong_way", STOPPED_BY_THE_REFRESH)
def test_refresh_publishes_nothing_of_what_is_wrong(house: House, wrong_way: str) -> None:
    files, message = STOPPED_BY_THE_REFRESH[wrong_way]
    published = house.warehouse("select count(*) from ops.refreshes")
    shop.write(house.root, files)
    house.parse()
    house.sync()
    assert re.search(message, house.try_build())
    assert house.warehouse("select count(*) from ops.refreshes") == published
