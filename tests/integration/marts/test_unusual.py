"""Clean data that is unusual raises no alarm, in raw tables nor in marts: no row, one row, no optional value, huge values."""

from collections.abc import Callable

import pytest

from dagster_project.contracts.loading import load_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality.suites import load_suites
from dagster_project.quality.validation import Project, validate
from tests.databases import run
from tests.integration.marts.conftest import SYSTEM, House, houses
from tests.integration.marts.oracle import refresh
from tests.integration.quality.conftest import clean_source

CLEAN = {system: clean_source(system).read_text(encoding="utf-8") for system in load_contracts()}

# Tables that are no parts of others, and columns of a kind.
_COLUMNS = """
select attrelid::regclass::text, quote_ident(attname)
from pg_attribute
inner join pg_class on pg_class.oid = attrelid and relkind in ('r', 'p') and not relispartition
where relnamespace <> 'pg_catalog'::regnamespace and relnamespace <> 'information_schema'::regnamespace
    and attnum > 0 and not attisdropped and attgenerated = '' and {which}
order by 1, attnum
"""


def set_everywhere(source: str, which: str, value: str) -> None:
    """Set columns to a value in all rows that have one, as far as the source accepts that."""
    for table, column in run(source, _COLUMNS.format(which=which)):
        change = f"update {table} set {column} = {value} where {column} is not null"
        run(source, f"do $$ begin {change}; exception when check_violation or unique_violation then null; end $$")


def empty(_source: str, _system: str) -> None:
    """No table has a row."""


def one_row(source: str, system: str) -> None:
    """Each table has one row."""
    run(source, CLEAN[system])
    keys = "attrelid in (select indrelid from pg_index where indisprimary and indkey[0] = attnum)"
    for table, key in run(source, _COLUMNS.format(which=keys)):
        later = f"{key}::text > (select min({key}::text) from {table})"
        run(source, f"set session_replication_role = replica; delete from {table} where {later}")


def no_optional_value(source: str, system: str) -> None:
    """Whatever may be null is; so no run has ended."""
    run(source, CLEAN[system])
    run(source, "update runs set status = 'running'")
    set_everywhere(source, "not attnotnull", "null")


def huge(source: str, system: str) -> None:
    """Values, which have no limit by themselves, are 1e250; so are metrics of a name that says of no range."""
    run(source, CLEAN[system])
    run(source, "update metrics set metric_name = 'loss' || metric_id")
    set_everywhere(source, "atttypid = 'double precision'::regtype and attname ~ '(_value|_bound)$'", "1e250")


def failing(house: House, warehouse: str, system: str) -> dict[str, object]:
    """What fails of the suites of a system, or of marts."""
    project = Project(load_contracts(), house.plan)
    return {
        f"{suite.name} {result.check_name}": (result.failing_rows, result.error, result.failing_sample[:2])
        for suite in load_suites().values()
        if suite.system == system and (system != PUBLISHED or suite.table in house.plan.project.models)
        for result in validate(warehouse, suite, project, everything=True).results
        if not result.is_success
    }


CASES = [*((system, fill) for system in CLEAN for fill in (empty, one_row)), (SYSTEM, no_optional_value), (SYSTEM, huge)]


@pytest.mark.parametrize(("system", "fill"), CASES)
def test_clean_data_that_is_unusual_fails_no_check(
    house: House, new_database: Callable[[str], str], system: str, fill: Callable[[str, str], None]
) -> None:
    source, warehouse = new_database(system), new_database("warehouse")
    fill(source, system)
    sync(load_contracts()[system], source, warehouse)
    assert failing(house, warehouse, system) == {}


@pytest.mark.parametrize("name", houses())
def test_marts_without_rows_fail_no_check(name: str, request: pytest.FixtureRequest) -> None:
    house: House = request.getfixturevalue(name)
    house.fill({})
    refresh(house, "--full-refresh", publish=False)
    assert failing(house, house.warehouse_url, PUBLISHED) == {}
