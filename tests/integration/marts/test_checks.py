"""Checks of marts, which read what a refresh has touched, say what Great Expectations says of all rows: any suites, any histories."""

import random
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from dagster_project.quality.native import native_verdicts
from dagster_project.quality.suites import Suite
from dagster_project.quality.validation import Project, validate
from tests.dbt_manifest import grain_of, marts_of
from tests.histories.history import together
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import refresh

_REFRESHES = 3
_HISTORIES = 6
_NUMBERS = ("bigint", "integer", "double precision", "numeric")


def suites(house: House, chance: random.Random) -> list[Suite]:
    """For each mart, history and view that is made of raw rows, expectations on columns by chance: many rows break them."""
    return [
        Suite.model_validate(
            {"name": f"analytics.{mart}", "meta": {"key": list(grain)}, "expectations": _expectations(house, mart, grain, chance)}
        )
        for mart, node in marts_of(house.manifest).items()
        if house.is_made_of_these(mart)
        for grain in [grain_of(house.manifest, node)]
    ]


def _expectations(house: House, mart: str, grain: Sequence[str], chance: random.Random) -> list[dict[str, object]]:
    declared = marts_of(house.manifest)[mart]["columns"]
    # A candidate names its own refresh in rows that stay published as an earlier one wrote them: nothing can be expected of that.
    columns = {name: column["data_type"] for name, column in declared.items() if name not in OF_THE_REFRESH}
    numbers = [name for name, kind in columns.items() if kind.startswith(_NUMBERS)]
    limited = chance.sample(numbers, k=min(2, len(numbers)))
    required, single, *pair = chance.sample(sorted(columns), k=min(4, len(columns)))
    key = ", ".join(f'"{column}"' for column in grain)
    query = f'with this as (select * from {{batch}}) select {key}, "{required}" from this where "{required}" is null'
    asked: list[tuple[str, str, dict[str, object], str]] = [
        *(
            (f"{column}_is_limited", "expect_column_values_to_be_between", {"column": column, "max_value": chance.choice([0, 1, 3])}, "row")
            for column in limited
        ),
        ("is_required", "unexpected_rows_expectation", {"unexpected_rows_query": query}, "row"),
        ("is_single", "expect_column_values_to_be_unique", {"column": single}, "table"),
        ("is_pair", "expect_compound_columns_to_be_unique", {"column_list": pair}, "table"),
    ]
    return [
        {"type": kind, "kwargs": kwargs, "severity": "critical", "description": "Something.", "meta": {"check": check, "level": level}}
        for check, kind, kwargs, level in asked
        if kind != "expect_compound_columns_to_be_unique" or len(pair) == 2
    ]


# In that of seed 31, rows with nulls in their key are equal to others.
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32))
@example(seed=31)
def test_checks_of_touched_groups_say_what_great_expectations_says_of_all_rows(house: House, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    histories = [house.history(number, seed + number) for number in range(1, _HISTORIES + 1)]
    project, asked = Project(house.contracts, house.plan), suites(house, chance)
    house.warehouse("delete from quality.verdicts; delete from quality.failing_rows; delete from quality.counted_rows")
    failing = 0
    for number in range(_REFRESHES):
        house.fill(together(histories))
        for history in histories:
            history.step()
        refresh(house, *([] if number else ["--full-refresh"]), publish=False)
        for suite in asked:
            compiled = {each.check_name: each for each in validate(house.warehouse_url, suite, project).results}
            native = native_verdicts(house.warehouse_url, suite)
            assert {check: (each.is_success, each.failing_rows, each.error) for check, each in compiled.items()} == {
                check: (each.is_success, each.failing_rows, each.error) for check, each in native.items()
            }, suite.name
            failing += sum(not each.is_success for each in compiled.values())
        with house.engine() as engine:
            engine.publish()
    # Something was found, or nothing was compared.
    assert failing
    house.warehouse("delete from quality.verdicts; delete from quality.failing_rows; delete from quality.counted_rows")


def test_suites_by_chance_reach_every_mart(house: House) -> None:
    made = {suite.table for suite in suites(house, random.Random(0))}  # noqa: S311
    assert made == {mart for mart in marts_of(house.manifest) if house.is_made_of_these(mart)}
