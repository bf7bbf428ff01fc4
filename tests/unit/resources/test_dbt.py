"""What a run makes of what dbt says of its nodes."""

from typing import Any

import pytest

from dagster_project.resources.dbt import built_models, failing_models, has_errors

MANIFEST = {
    "nodes": {
        "test.shop.is_known.1": {"name": "is_known_days", "attached_node": "model.shop.days", "depends_on": {"nodes": []}},
        "test.shop.refers.2": {
            "name": "refers_to_sales",
            "attached_node": "model.shop.days",
            "depends_on": {"nodes": ["model.shop.days", "model.shop.sales"]},
        },
        "test.shop.adds_up": {"name": "adds_up", "attached_node": None, "depends_on": {"nodes": ["model.shop.days", "model.shop.sales"]}},
    }
}


def results(**statuses: str) -> dict[str, Any]:
    names = {"days": "model.shop.days", "is_known": "test.shop.is_known.1", "refers": "test.shop.refers.2", "adds_up": "test.shop.adds_up"}
    return {"results": [{"unique_id": names[name], "status": status, "compiled_code": "select 1"} for name, status in statuses.items()]}


def test_model_fails_with_the_tests_that_are_about_it() -> None:
    found = results(days="success", refers="fail", is_known="fail")
    assert built_models(found) == {"days": "select 1"}
    assert failing_models(found, MANIFEST) == {"days": "fails is_known_days, refers_to_sales"}
    assert not has_errors(found)


def test_test_that_is_about_no_model_by_itself_is_about_all_that_it_reads() -> None:
    assert failing_models(results(adds_up="fail"), MANIFEST) == {"days": "fails adds_up", "sales": "fails adds_up"}


@pytest.mark.parametrize("status", ["pass", "warn", "skipped"])
def test_what_does_not_fail_holds_back_nothing(status: str) -> None:
    assert failing_models(results(is_known=status), MANIFEST) == {}
    assert not has_errors(results(is_known=status))


@pytest.mark.parametrize("status", ["error", "runtime error"])
def test_what_could_not_be_done_is_an_error(status: str) -> None:
    assert failing_models(results(is_known=status), MANIFEST) == {}
    assert has_errors(results(days="success", is_known=status))
