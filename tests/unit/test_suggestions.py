"""Names that somebody has mistyped."""

import pytest

from dagster_project.suggestions import no_such

TABLES = ["experiments", "metrics", "Models", "model_registry", "runs"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("experiment", "experiments"),
        ("metrcis", "metrics"),
        ("RUNS", "runs"),
        ("models", "Models or model_registry"),
        ("registry", "model_registry"),
    ],
)
def test_a_name_that_is_close_is_proposed(typed: str, meant: str) -> None:
    assert no_such("table", typed, TABLES, " in shop") == f"there is no table {typed!r} in shop; did you mean {meant}?"


def test_all_names_are_listed_if_none_is_close() -> None:
    assert no_such("system", "x", ["shop", "bank"]) == "there is no system 'x'; there are: shop, bank"
    assert no_such("system", "x", []) == "there is no system 'x'; there are: none"
