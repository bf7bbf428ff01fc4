"""Names and texts of a draft: what needs no database."""

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from dagster_project.scaffold.names import is_plain, plain_name, quoted, snake_case, staged_names, table_names
from dagster_project.scaffold.yaml_text import flow_list, flow_mapping, scalar

NAMES = st.text(st.sampled_from("aBc_1 -$é"), min_size=1, max_size=63).filter(lambda name: re.search(r"\w", name) is not None)
TEXTS = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1)


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("user_id", "user_id"),
        ("_hidden", "_hidden"),
        ("userId", "user_id"),
        ("UserID", "user_id"),
        ("HTTPStatus", "http_status"),
        ("Full Name", "full_name"),
        ("a-b", "a_b"),
        ("2nd", "2nd"),
        ("Größe", "größe"),
    ],
)
def test_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("orders", "orders"),
        ("a__b_", "a__b_"),
        ("Invoices", "invoices"),
        ("OrderItem", "order_item"),
        ("Order Items", "order_items"),
        ("_prisma_migrations", "prisma_migrations"),
        ("__EFMigrationsHistory", "ef_migrations_history"),
        ("_PostToTag", "post_to_tag"),
        ("Größe", "grosse"),
        ("2024-sales", "table_2024_sales"),
        ("注文", ""),
        ("__", ""),
    ],
)
def test_plain_name(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_tables_of_one_name_are_told_apart_by_their_schemas() -> None:
    tables = [
        *(("public", name) for name in ("Orders", "ORDERS", "OrderItem", "logs")),
        *(("crm", name) for name in ("orders", "order_item", "OrderItem", "logs")),
        *(("Old Shop", name) for name in ("logs", "public_orders")),
    ]
    assert table_names(tables) == {
        ("crm", "orders"): "orders",
        ("public", "Orders"): "public_orders2",
        ("public", "ORDERS"): "public_orders3",
        ("crm", "order_item"): "order_item",
        ("public", "OrderItem"): "public_order_item",
        ("crm", "OrderItem"): "crm_order_item",
        ("public", "logs"): "logs",
        ("crm", "logs"): "crm_logs",
        ("Old Shop", "logs"): "old_shop_logs",
        ("Old Shop", "public_orders"): "public_orders",
    }


@given(st.lists(st.tuples(st.sampled_from(["public", "crm", "A-b"]), NAMES | st.text(min_size=1, max_size=63)), unique=True, max_size=9))
def test_table_names_are_plain_and_different_and_plain_ones_are_kept(tables: list[tuple[str, str]]) -> None:
    tables = [table for table in tables if plain_name(table[1])]
    names = table_names(tables)
    assert set(names) == set(tables)
    assert len(set(names.values())) == len(tables)
    assert all(re.fullmatch("[a-z][a-z0-9_]{,62}", name) for name in names.values())
    once = [table for table in tables if is_plain(table[1]) and [name for _, name in tables].count(table[1]) == 1]
    assert [names[table] for table in once] == [name for _, name in once]


@pytest.mark.parametrize(
    ("name", "sql"), [("id", "id"), ("timestamp", "timestamp"), ("order", '"order"'), ("userId", '"userId"'), ("2nd", '"2nd"')]
)
def test_only_names_that_need_it_are_quoted(name: str, sql: str) -> None:
    assert quoted(name) == sql


def test_staged_names_keep_what_needs_no_change() -> None:
    columns = ["userId", "user_id", "USER_ID", "batch_id", "order", "2nd"]
    assert staged_names(columns, ["batch_id", "synced_at"]) == {
        "user_id": "user_id",
        "userId": "source_user_id",
        "USER_ID": "source_user_id2",
        "batch_id": "source_batch_id",
        "order": "order_",
        "2nd": "column_2nd",
    }


@given(st.lists(NAMES, unique=True, max_size=8))
@example(["1" * 36 + "aBc-1aBcd-é" + "B1" * 4])
@example(["1" * 62, "1" * 63, "é" * 31, "É" * 31 + "1", "E\u0301" * 21])
def test_staged_names_are_different_and_need_no_quotes(columns: list[str]) -> None:
    staged = staged_names(columns, ["batch_id"])
    assert set(staged) == set(columns)
    assert len(set(staged.values())) == len(columns)
    assert "batch_id" not in staged.values()
    assert all(re.fullmatch(r"[^\W\d]\w*", name) and name == name.lower() for name in staged.values())
    assert all(len(name.encode()) <= 63 for name in staged.values())


@given(TEXTS)
def test_scalar_stays_a_string(text: str) -> None:
    assert yaml.safe_load(f"a: {scalar(text)}") == {"a": text}
    assert yaml.safe_load(f"[{scalar(text)}]") == [text]


@given(st.lists(TEXTS, max_size=30), st.dictionaries(TEXTS, TEXTS, max_size=10))
def test_flow_collections_say_what_they_were_made_of(items: list[str], mapping: dict[str, str]) -> None:
    text = f"root:\n{flow_list('  items', items)}\n{flow_mapping('  mapping', mapping)}\n"
    assert yaml.safe_load(text) == {"root": {"items": items, "mapping": mapping}}


def test_long_lists_are_wrapped() -> None:
    lines = flow_list("      columns", [f"column_{number}" for number in range(40)]).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 140 for line in lines)
    assert all(line.startswith("        c") for line in lines[1:])
