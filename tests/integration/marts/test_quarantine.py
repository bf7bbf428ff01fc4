"""Marts with rows in quarantine are those of a source in which these rows never were."""

import random
from collections.abc import Iterator

import pytest

from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from dagster_project.quality.quarantine import bring_up_to_date
from dagster_project.quality.suites import Suite, load_suites
from dagster_project.quality.validation import Project, validate
from tests.dbt_manifest import marts_of
from tests.histories.history import together
from tests.integration.marts.conftest import SYSTEM, House
from tests.integration.marts.oracle import columns_of, differences_from_rebuild, refresh

# Faults of single rows that the source lets in, each with the rule that it breaks; of every few rows one has it.
FAULTS = {
    "metrics": ("metric_value = 'NaN'", "values_are_finite"),
    "runs": ("execution_duration_seconds = 'NaN'", "values_are_finite"),
    "predictions": ("actual_value = 'Infinity'", "values_are_finite"),
}


@pytest.fixture
def checked(house: House) -> Iterator[House]:
    """The house with a history in it, published, and nothing set aside."""
    house.set_aside()
    house.fill(together([house.history(number, seed=number + 40) for number in range(1, 9)]))
    refresh(house)
    yield house
    house.set_aside()
    house.hold()


def suites() -> list[Suite]:
    """The rules of the faults. Rows that histories have by chance break them too; however many do, they are set aside."""
    found = (load_suites()[f"{SYSTEM}.{table}"].only({rule}) for table, (_, rule) in FAULTS.items())
    return [suite.model_copy(update={"meta": suite.meta.model_copy(update={"quarantined_share": 1.0})}) for suite in found]


def check(house: House) -> dict[str, set[int]]:
    """Check raw, and set aside what fails; gives the keys that are in quarantine, by table."""
    for suite in suites():
        validate(house.warehouse_url, suite, Project(house.contracts, house.plan))
    bring_up_to_date(house.warehouse_url, house.contracts[SYSTEM], suites())
    found: dict[str, set[int]] = {}
    for table, key in house.warehouse("select table_name, key from quality.quarantine where released_at is null"):
        found.setdefault(table, set()).add(key[house.contracts[SYSTEM].tables[table].key[0]])
    return found


def published(house: House) -> dict[str, list[tuple[object, ...]]]:
    """All published rows, but which refresh wrote them."""
    return {
        mart: house.warehouse(f"select row({columns_of(house, mart, OF_THE_REFRESH)})::text from {node['schema']}.{mart} order by 1")
        for mart, node in marts_of(house.manifest, "mart").items()
    }


@pytest.mark.parametrize("table", FAULTS)
def test_marts_are_those_of_a_source_without_the_rows_in_quarantine(checked: House, table: str) -> None:
    assignments, _ = FAULTS[table]
    (key, *_), chance = checked.contracts[SYSTEM].tables[table].key, random.Random(table)  # noqa: S311
    keys = sorted(key for (key,) in checked.source(f"select {key} from {table}"))
    wrong = chance.sample(keys, k=min(3, len(keys)))
    checked.source(f"set session_replication_role = replica; update {table} set {assignments} where {key} = any(%s)", wrong)
    checked.sync()
    quarantined = check(checked)
    assert quarantined[table] >= {*wrong}
    refresh(checked)
    assert differences_from_rebuild(checked) == {}
    without = published(checked)
    for name, gone in quarantined.items():
        own = checked.contracts[SYSTEM].tables[name].key[0]
        checked.source(f"set session_replication_role = replica; delete from {name} where {own} = any(%s)", sorted(gone))
    checked.sync()
    assert check(checked) == {}
    refresh(checked)
    assert published(checked) == without


def test_marts_that_a_table_holds_back_stand_and_go_on_from_there(checked: House) -> None:
    held = {mart for mart in marts_of(checked.manifest, "mart") if (SYSTEM, "model_registry") in checked.plan.project.behind(mart)}
    before = published(checked)
    assert held
    assert held < {mart for mart in before if checked.is_made_of_these(mart)}
    checked.hold("model_registry")
    checked.fill(together([checked.history(number, seed=number + 80) for number in range(1, 9)]))
    refresh(checked)
    during = published(checked)
    assert {mart for mart in held if during[mart] != before[mart]} == set()
    changed = {mart for mart in during.keys() - held if checked.is_made_of_these(mart)}
    assert {mart for mart in changed if during[mart] == before[mart]} == set()
    checked.hold()
    refresh(checked)
    after = published(checked)
    assert {mart for mart in held if after[mart] != during[mart]}
    assert differences_from_rebuild(checked) == {}
