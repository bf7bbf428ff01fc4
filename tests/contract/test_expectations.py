"""Contract, suites and tests agree: every table is covered, every foreign key is checked, every expectation has a corruption."""

import re
from collections.abc import Mapping

import pytest
import yaml

from dagster_project.contracts.loading import load_contracts
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality.suites import Severity, Suite, load_suites
from dagster_project.scaffold.names import parent_check, quoted
from dagster_project.settings import PROJECT_ROOT
from tests.integration.quality.corruptions import SUITES as CORRUPTED
from tests.integration.quality.corruptions import corruptions, told
from tests.integration.quality.rows_of_marts import RowsOfMart, rows_of_marts

CONTRACTS = load_contracts()
SUITES = load_suites()
RAW_SUITES = [suite for suite in SUITES.values() if suite.system in CONTRACTS]
# Joins find one row at most, or the same for all: the rows are those of the table.
ROW_QUERY = re.compile(
    r"with this as (not materialized )?\(select \* from \{batch\}( as batch)?\)(, \w+ as .+)? "
    r"select [\w,.() \"$-]+ from this( (left )?join [\w.]+( as \w+)? on .+?| cross join [\w.]+ as \w+)* where .+"
)


def test_every_declared_table_has_a_suite() -> None:
    declared = {f"{system}.{table}" for system, contract in CONTRACTS.items() for table in contract.tables}
    assert declared == {suite.name for suite in RAW_SUITES}


def test_every_mart_has_a_suite() -> None:
    marts = {path.stem for path in (PROJECT_ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert marts == {suite.table for suite in SUITES.values() if suite.system == PUBLISHED}


@pytest.mark.parametrize("suite", RAW_SUITES, ids=lambda suite: suite.name)
def test_suite_follows_the_contract(suite: Suite) -> None:
    contract = CONTRACTS[suite.system]
    table = contract.tables[suite.table]
    by_check = {expectation.meta.check: expectation for expectation in suite.expectations}
    assert suite.meta.key == table.key
    orphans = {check for check in by_check if check.endswith("_has_parent")}
    assert orphans == {parent_check(reference.columns) for reference in table.references}
    for reference in table.references:
        query = by_check[parent_check(reference.columns)].kwargs["unexpected_rows_query"]
        pairs = zip(reference.parent_columns, reference.columns, strict=True)
        same = " and ".join(f"parent.{quoted(referred)} = this.{quoted(column)}" for referred, column in pairs)
        assert f"from {contract.raw_schema}.{reference.parent} as parent where {same} " in query
        assert all(f"{quoted(column)} is not null" in query for column in reference.columns)
    declared = re.findall(r"\('([^']+)', '[^']+'\)", by_check["columns_are_as_declared"].kwargs["unexpected_rows_query"])
    assert declared == [*table.columns, "_batch_id", "_synced_at", "_deleted_at", "_moved_from", "_quarantined_at"]
    key = by_check["key_is_unique"].kwargs if table.key else {"column_list": []}
    assert tuple(key.get("column_list", [key.get("column")])) == table.key
    assert by_check[f"synced_within_{contract.freshness.warn_after_hours:g}_hours"].severity is Severity.WARNING
    assert by_check[f"synced_within_{contract.freshness.error_after_hours:g}_hours"].severity is Severity.CRITICAL


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_row_level_queries_are_a_condition_on_single_rows(suite: Suite) -> None:
    for expectation in suite.expectations:
        if expectation.meta.level == "row" and expectation.type == "unexpected_rows_expectation":
            assert ROW_QUERY.fullmatch(expectation.kwargs["unexpected_rows_query"]), expectation.meta.check


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_joins_alias_the_batch(suite: Suite) -> None:
    for expectation in suite.expectations:
        query = expectation.kwargs.get("unexpected_rows_query", "")
        assert bool(re.search(r"\bjoin\b", query)) == ("{batch} as " in query), expectation.meta.check


@pytest.mark.parametrize("suite", CORRUPTED.values(), ids=lambda suite: suite.name)
def test_every_expectation_has_a_corruption(suite: Suite) -> None:
    assert {corruption.check for corruption in corruptions(suite)} == {expectation.meta.check for expectation in suite.expectations}


def test_every_corruption_that_is_told_is_of_a_check() -> None:
    checks = {name: {expectation.meta.check for expectation in suite.expectations} for name, suite in CORRUPTED.items()}
    assert [(name, check) for name, broken in told().items() for check in broken if check not in checks.get(name, ())] == []


def unheard_of(told: Mapping[str, Mapping[str, RowsOfMart]]) -> list[str]:
    """Marts that are not in the folder in which something is told of them, and checks and columns that the marts do not have."""
    found: list[str] = []
    for folder, marts in told.items():
        for mart, rows in marts.items():
            declared = PROJECT_ROOT / "dbt_project" / "models" / "marts" / folder / f"{mart}.yml"
            if not declared.exists():
                found.append(f"{folder}/{mart}")
                continue
            (model,) = yaml.safe_load(declared.read_text(encoding="utf-8"))["models"]
            columns = {column["name"] for column in model["columns"]}
            checks = {expectation.meta.check for expectation in SUITES[f"{PUBLISHED}.{mart}"].expectations}
            found += [f"{mart}.{name}" for name in [*({*rows.values} - columns), *({*rows.corruptions} - checks)]]
    return found


def test_what_is_told_of_marts_is_of_what_they_have() -> None:
    assert unheard_of(rows_of_marts()) == []


def test_what_is_told_of_something_unheard_of_is_seen() -> None:
    wrong = RowsOfMart(values={"status": "'x'", "no_column": "1"}, corruptions={"no_check": ["status = 'x'"]})
    told = {"shared": {"fct_runs": wrong}, "elsewhere": {"fct_runs": RowsOfMart()}}
    assert unheard_of(told) == ["fct_runs.no_column", "fct_runs.no_check", "elsewhere/fct_runs"]
