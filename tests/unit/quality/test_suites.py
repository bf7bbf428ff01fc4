"""Suite files: what is accepted, what is refused with which words, and the names that come of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from dagster_project.quality.suites import SuiteError, load_suite, load_suites


def _expectation(check: str = "size_is_positive", **changes: object) -> dict[str, Any]:
    return {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "size", "min_value": 1},
        "severity": "critical",
        "description": "size is at least 1.",
        "meta": {"check": check, "level": "row"},
    } | changes


def _file(folder: Path, expectations: list[dict[str, Any]], name: str = "shop.items") -> Path:
    path = folder / "shop" / "items.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"name": name, "meta": {"key": ["item_id"]}, "expectations": expectations}), encoding="utf-8")
    return path


def test_suite_is_named_after_its_place(tmp_path: Path) -> None:
    suite = load_suite(_file(tmp_path, [_expectation()]))
    assert suite.asset_key == ("shop", "items")
    assert [expectation.meta.check for expectation in suite.expectations] == ["size_is_positive"]
    assert load_suites(tmp_path) == {"shop.items": suite}


def test_raw_suite_is_about_live_rows_and_mart_suite_about_the_candidate() -> None:
    suites = load_suites()
    assert suites["forecast_tracking.runs"].rows_query == "select * from raw_forecast_tracking.runs where _deleted_at is null"
    assert suites["analytics.fct_runs"].rows_query == "select * from analytics_next.fct_runs"


def test_only_keeps_the_named_checks(tmp_path: Path) -> None:
    suite = load_suite(_file(tmp_path, [_expectation("a"), _expectation("b"), _expectation("c")]))
    assert [expectation.meta.check for expectation in suite.only({"c", "a"}).expectations] == ["a", "c"]


@pytest.mark.parametrize(
    ("expectations", "name", "words"),
    [
        ([_expectation()], "shop.orders", "name: 'shop.orders' must be shop.items"),
        ([_expectation(), _expectation()], "shop.items", "the check 'size_is_positive' is there 2 times"),
        ([_expectation(type="magic")], "shop.items", "expectations.0.type"),
        ([_expectation(severity="fatal")], "shop.items", "expectations.0.severity"),
        ([_expectation(colour="red")], "shop.items", "expectations.0.colour"),
        ([_expectation("not a name")], "shop.items", "expectations.0.meta.check"),
        ([], "shop.items", "expectations"),
        (
            [_expectation(type="unexpected_rows_expectation", kwargs={"unexpected_rows_query": "select 1"})],
            "shop.items",
            "the query of 'size_is_positive' must read its rows from {batch}",
        ),
    ],
)
def test_broken_suite_names_file_and_fault(tmp_path: Path, expectations: list[dict[str, Any]], name: str, words: str) -> None:
    path = _file(tmp_path, expectations, name)
    with pytest.raises(SuiteError) as error:
        load_suite(path)
    assert str(error.value).startswith(f"{path}: ")
    assert words in str(error.value)


def test_broken_json_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text('{\n"name": }', encoding="utf-8")
    with pytest.raises(SuiteError, match=r"items\.json:2: not valid JSON"):
        load_suite(path)
