"""Rules: on which columns they bear, the conditions that they make, and names of what they fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.marts.recomputation import stand_in_of
from dagster_project.marts.rows_behind import Rule, load_rules

METRICS = Rule(
    "shop.metrics",
    where="raw.run_id in (select run_id from {runs}) and raw.code ~ '^[0-9]{4}$'",
    columns="(?P<split>validation|test)_(?P<metric>mae|rmse)(_.+)?",
    narrowed="raw.name = '{metric}' and raw.split = '{split}'",
)
FOUND = {"shop.runs": '"pg_temp"."raw_shop.runs"', "lab.runs": "another"}


@pytest.mark.parametrize(
    ("column", "bears"), [("test_mae", True), ("validation_rmse_best", True), ("test_mape", False), ("my_test_mae", False), (None, True)]
)
def test_rule_bears_on_columns_that_match_in_full(column: str | None, bears: bool) -> None:
    assert METRICS.bears_on(column) is bears
    assert Rule("shop.runs", where="true").bears_on(column)


def test_condition_reads_what_was_found_of_the_same_system_and_is_narrowed_for_one_column() -> None:
    all_rows = '(raw.run_id in (select run_id from "pg_temp"."raw_shop.runs") and raw.code ~ \'^[0-9]{4}$\')'
    assert METRICS.condition(None, FOUND) == all_rows
    assert METRICS.condition("test_mae_best", FOUND) == f"{all_rows} and (raw.name = 'mae' and raw.split = 'test')"


def test_group_that_took_no_part_is_empty() -> None:
    rule = Rule("shop.runs", where="true", columns="(?P<shared>total_.+)|.+", narrowed="'{shared}' <> ''")
    assert rule.condition("total_runs", {}) == "(true) and ('total_runs' <> '')"
    assert rule.condition("status", {}) == "(true) and ('' <> '')"


def test_placeholder_of_nothing_found_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"shop\.runs"):
        METRICS.condition(None, {})


def test_grain_is_that_of_the_key_test() -> None:
    rules = load_rules()
    assert rules["model_performance"].grain == ("model_id",)
    assert rules["fct_runs"].grain == ("execution_key",)
    assert rules["metric_summary"].grain == ("run_id", "model_id", "metric_name", "split")


def test_stand_ins_are_named_after_their_relations() -> None:
    assert stand_in_of(("raw_shop", "orders")).strings == ("pg_temp", "raw_shop.orders")


@given(st.text(min_size=1, max_size=63), st.lists(st.text(min_size=1, max_size=63), min_size=2, max_size=2, unique=True))
def test_long_names_of_stand_ins_stay_apart(schema: str, names: list[str]) -> None:
    one, other = (stand_in_of((f"raw_{schema}", name)).strings[1] for name in names)
    assert one != other
    assert max(len(one.encode()), len(other.encode())) <= 63
