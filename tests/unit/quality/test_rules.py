"""Expectations taken apart: how far a verdict reaches, and what it is asked with."""

from typing import Any

import pytest

from dagster_project.quality.compiling import failing_query
from dagster_project.quality.rules import Condition, Reach, Rule, Source, raw_tables_counted, rule, with_count, with_raw_counts
from dagster_project.quality.suites import Suite


def _rule(expectation_type: str, level: str = "row", /, within: dict[str, str] | None = None, **kwargs: Any) -> Rule | None:  # noqa: ANN401
    expectation = {
        "type": expectation_type,
        "kwargs": kwargs,
        "severity": "critical",
        "description": "Something.",
        "meta": {"check": "something", "level": level, "within": within or {}},
    }
    suite = Suite.model_validate({"name": "shop.items", "meta": {"key": ["item_id"]}, "expectations": [expectation]})
    return rule(suite, suite.expectations[0])


def _query(query: str, level: str = "row", within: dict[str, str] | None = None) -> Rule:
    text = f"with this as (select * from {{batch}} as batch){query}"
    found = _rule("unexpected_rows_expectation", level, within=within, unexpected_rows_query=text)
    assert found
    return found


@pytest.mark.parametrize(
    ("expectation_type", "kwargs", "condition"),
    [
        ("expect_column_values_to_be_in_set", {"column": 'si"ze', "value_set": ["it's", 2]}, """"si""ze" not in ('it''s', 2)"""),
        ("expect_column_values_to_be_between", {"column": "size", "min_value": 1, "max_value": None}, '"size" < 1'),
        (
            "expect_column_values_to_be_between",
            {"column": "size", "min_value": 0, "max_value": 1, "strict_min": True, "strict_max": True},
            '"size" <= 0 or "size" >= 1',
        ),
        ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "a", "column_B": "b"}, '"a" <= "b"'),
        ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "a", "column_B": "b", "or_equal": True}, '"a" < "b"'),
    ],
)
def test_types_that_ask_single_rows_are_conditions(expectation_type: str, kwargs: dict[str, Any], condition: str) -> None:
    found = _rule(expectation_type, **kwargs)
    assert found
    assert found.condition
    assert (found.reach, found.condition.source, found.condition.broken, found.query) == (Reach.ROW, Source(), condition, "")


def test_query_of_single_rows_is_its_condition_as_it_is_written() -> None:
    found = _query(r" select item_id, name from this where name ~ '^[\s\u00a0]' or name = 'from this where'")
    condition = Condition(Source(), r"name ~ '^[\s\u00a0]' or name = 'from this where'", "item_id, name")
    assert (found.reach, found.condition) == (Reach.ROW, condition)
    assert found.shown == ("item_id", "name")


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        (
            " select this.item_id from this join raw_shop.orders as parent on parent.order_id = this.order_id where parent.size > 1",
            Condition(
                Source(relations="this join raw_shop.orders as parent on parent.order_id = this.order_id"),
                "parent.size > 1",
                "this.item_id",
            ),
        ),
        (
            ", other as (select min(size) as least from this where size > 0) select item_id from this cross join other where size > least",
            Condition(
                Source(", other as (select min(size) as least from this where size > 0)", "this cross join other"),
                "size > least",
                "item_id",
            ),
        ),
        (
            " select item_id, greatest(size, 0) as size, item_id from this where size < 0",
            Condition(Source(), "size < 0", "item_id, greatest(size, 0) as size"),
        ),
        (
            " select item_id, size is distinct from 1 as is_odd from this where name = '{{'",
            Condition(Source(), "name = '{'", "item_id, size is distinct from 1 as is_odd"),
        ),
    ],
)
def test_what_is_looked_up_for_a_row_is_its_source(query: str, condition: Condition) -> None:
    assert _query(query).condition == condition


@pytest.mark.parametrize(
    "query",
    [
        " select item_id from this where not exists (select 1 from raw_shop.orders as parent where parent.order_id = this.order_id)",
        " select this.item_id from this join raw_shop.orders as parent on parent.order_id = this.order_id",
        " select item_id, count(*) as copies from this where name = '' group by item_id",
        " select distinct item_id from this where name = ''",
        " select item_id from this where name = '' limit 1",
        " select *, item_id from this where name = ''",
    ],
)
def test_query_that_takes_more_than_a_condition_stays_a_query(query: str) -> None:
    found = _query(query)
    assert (found.reach, found.condition) == (Reach.ROW, None)
    assert found.query


def test_relations_that_a_query_reads_are_known() -> None:
    found = _query(
        " select item_id from this where not exists (select 1 from raw_shop.orders as parent where parent.order_id = this.order_id)"
    )
    assert found.relations == {("raw_shop", "orders")}


def test_level_of_a_table_reaches_as_far_as_it_says() -> None:
    query = " select item_id, name from (select *, count(*) over (partition by name) as copies from this) as counted where copies > 1"
    assert _query(query, "table").reach is Reach.TABLE
    assert _query(query, "table", {"name": "name"}).reach is Reach.GROUP


def test_single_rows_that_the_clock_changes_are_asked_as_a_whole() -> None:
    found = _query(" select item_id from this where due_at < now()")
    assert (found.reach, found.is_timely) == (Reach.TABLE, True)


def test_query_that_only_counts_rows_reads_none() -> None:
    found = _query(" select number from (select count(*) as number from this) as counted where number > 9", "table")
    assert found.reach is Reach.RECORDS
    assert with_count(found.query, 12).endswith("(select cast(12 as bigint) as number) as counted where number > 9")


def test_number_of_rows_of_a_raw_table_is_given_where_it_is_known() -> None:
    read = "select count(*) from raw_a.b where _deleted_at is null and _quarantined_at is null"
    query = f"select 1 from ({read}) as b, (select count(*) from raw_a.c where x) as c"
    assert raw_tables_counted(query) == {("raw_a", "b")}
    assert with_raw_counts(query, {}) == query
    assert with_raw_counts(query, {("raw_a", "b"): 7, ("raw_a", "c"): 8}) == (
        "select 1 from (select cast(7 as bigint)) as b, (select count(*) from raw_a.c where x) as c"
    )


def test_query_that_counts_some_rows_reads_them() -> None:
    found = _query(" select number from (select count(*) as number from this where size > 1) as counted where number > 9", "table")
    assert found.reach is Reach.TABLE


@pytest.mark.parametrize("query", ["select item_id from {batch} where", "select item_id from {batch} as batch where size < 0"])
def test_what_nobody_understands_is_left_to_great_expectations(query: str) -> None:
    assert _rule("unexpected_rows_expectation", unexpected_rows_query=query) is None


def test_unknown_type_is_left_to_great_expectations() -> None:
    assert _rule("expect_column_value_lengths_to_be_between", column="name", max_value=3) is None


def test_failing_query_can_be_run_as_it_is() -> None:
    found = _rule("expect_column_values_to_be_in_set", column="size", value_set=["a"])
    assert found
    assert failing_query(found, "select * from raw_shop.items") == (
        """with this as not materialized (select * from raw_shop.items) select "item_id", "size" from this where "size" not in ('a')"""
    )
