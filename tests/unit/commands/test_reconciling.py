"""Which tables `runmart reconcile` compares."""

import pytest

from dagster_project.commands import reconciling, setup
from dagster_project.commands.reconciling import tables_by_system
from dagster_project.contracts.contract import SystemContract
from dagster_project.settings import ConfigurationError


def contract(system: str, *tables: str) -> SystemContract:
    declared = {table: {"description": "Rows.", "key": ["n"], "columns": ["n"]} for table in tables}
    freshness = {"warn_after_hours": 1, "error_after_hours": 2}
    return SystemContract.model_validate({"system": system, "description": "A system.", "freshness": freshness, "tables": declared})


@pytest.fixture(autouse=True)
def two_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    contracts = {"shop": contract("shop", "orders", "users"), "bank": contract("bank", "users", "loans")}
    monkeypatch.setattr(reconciling, "shared_contracts", lambda: contracts)
    monkeypatch.setattr(setup, "shared_contracts", lambda: contracts)


@pytest.mark.parametrize(
    ("systems", "tables", "chosen"),
    [
        ([], [], {"shop": [], "bank": []}),
        (["bank"], [], {"bank": []}),
        ([], ["users"], {"shop": ["users"], "bank": ["users"]}),
        ([], ["orders"], {"shop": ["orders"]}),
        (["shop"], ["users", "orders"], {"shop": ["users", "orders"]}),
        ([], ["loans", "orders"], {"shop": ["orders"], "bank": ["loans"]}),
    ],
)
def test_tables_are_compared_in_the_systems_that_have_them(systems: list[str], tables: list[str], chosen: dict[str, list[str]]) -> None:
    assert tables_by_system(systems, tables) == chosen


@pytest.mark.parametrize(
    ("systems", "tables", "words"),
    [
        (["nosuch"], [], "there is no system 'nosuch'; there are: shop, bank"),
        ([], ["nosuch"], "there is no table 'nosuch' in shop, bank; there are: orders, users, loans"),
        (["shop"], ["loans"], "there is no table 'loans' in shop; there are: orders, users"),
    ],
)
def test_unknown_name_is_one_line(systems: list[str], tables: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        tables_by_system(systems, tables)
