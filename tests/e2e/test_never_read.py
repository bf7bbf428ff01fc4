"""What a contract does not declare is never read: no text and no address of such a column comes to the warehouse's server or into the home.

Each text and address of an undeclared column is a marker. Those of declared columns beside them are markers too, by which the search is
seen to find what is there. The sources are on a server of their own, where the markers are.
"""

from dataclasses import dataclass

import pytest

from dagster_project.contracts.loading import shared_contracts
from dagster_project.ingestion.sync import sync
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.settings import PROJECT_ROOT, has_migrations, url_variable
from migrations.run import upgrade
from tests.databases import run
from tests.e2e.in_process import Outcome, runmart_on
from tests.e2e.markers import Markers, can_hold_marker, databases, files, tables_of
from tests.histories.values import distinct

CONTRACTS = {system: contract for system, contract in shared_contracts().items() if has_migrations(system)}
ONE_ROW_EACH = PROJECT_ROOT / "tests" / "integration" / "migrations"

# By system the tables with columns that are not read, and these.
UNDECLARED = {
    system: {
        name: columns
        for name, table in tables_of(system).items()
        if (columns := [column for column in table.columns if column.name not in contract.tables[name].columns])
    }
    for system, contract in CONTRACTS.items()
}

# An error of the warehouse that tells the whole row, as it has come there.
TELL = "create function public.tell() returns trigger language plpgsql as $$ begin raise exception 'the row is %', new; end $$"
TELLS = "create trigger tell before insert or update on {} for each row execute function public.tell()"


@dataclass(frozen=True)
class Search:
    """What was done with markers in the sources, and where they were found.

    Attributes:
        undeclared: The columns with markers that no contract declares, as `<system>.<table>.<column>`.
        found: By column, declared ones among them, the places where its marker was found.
        written: All columns with markers.
        failed: By system, what a sync said that failed on rows of its tables with undeclared columns.
        shown: The tables of which rows that fail a check are shown, as `<system>.<table>`.
        refreshes: How often the marts were published.
    """

    undeclared: set[str]
    written: set[str]
    found: dict[str, set[str]]
    failed: dict[str, Outcome]
    shown: set[str]
    refreshes: int


def fill(url: str, system: str, markers: Markers) -> None:
    """Make a source with a row in every table, whose undeclared columns have markers, and so has whatever its triggers copy of them."""
    upgrade(system, url)
    run(url, (ONE_ROW_EACH / f"{system}.sql").read_text(encoding="utf-8"))
    for column in (column for columns in UNDECLARED[system].values() for column in columns):
        if can_hold_marker(column):
            assert markers.write(url, system, column), f"{system}: {column} takes no marker in any form that {Markers.__module__} knows"


def spoil(url: str, system: str, markers: Markers) -> None:
    """Change the rows with undeclared columns: declared texts become markers where they may, and no row refers to anything any more."""
    for name in UNDECLARED[system]:
        declared, table = CONTRACTS[system].tables[name], tables_of(system)[name]
        for column in (table.columns[name] for name in declared.columns if name not in declared.key):
            if can_hold_marker(column):
                markers.write(url, system, column, unchecked=True)
            elif column.name in declared.referring_columns:
                nothing = distinct(str(column.type).lower(), 30_000, "")
                run(url, f"set session_replication_role = replica; update {table} set {column.name} = %s", nothing)


@pytest.fixture(scope="module")
def search(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """All systems, synced and checked and their marts published, after a sync that failed; some rows fail checks."""
    markers = Markers()
    sources = {system: f"never_read_{system}" for system in CONTRACTS}
    for system, database in sources.items():
        server.ensure_database(database)
        fill(server.url(database), system, markers)
    undeclared = {*markers.columns.values()}
    home = tmp_path_factory.mktemp("never_read")
    embedded = EmbeddedServer(home / "postgres", {"fsync": "off", "shared_buffers": "'64MB'"})
    embedded.start()
    with runmart_on(home) as runmart:
        said = [runmart("migrate", **{url_variable(system): server.url(database) for system, database in sources.items()})]
        warehouse = embedded.url("warehouse")
        run(warehouse, TELL)
        failed = {}
        for system, database in sources.items():
            sync(CONTRACTS[system], server.url(database), warehouse)
            spoil(server.url(database), system, markers)
            for name in UNDECLARED[system]:
                run(warehouse, TELLS.format(CONTRACTS[system].table(name).raw_name))
            failed[system] = runmart("sync", system)
        run(warehouse, "drop function public.tell() cascade")
        said.append(runmart("sync", "--refresh"))
        printed = [("output", (outcome.out + outcome.err).encode()) for outcome in (*said, *failed.values())]
        shown = {suite for (suite,) in run(warehouse, "select distinct replace(asset_key, '/', '.') from quality.failing_rows")}
        ((refreshes,),) = run(warehouse, "select count(*) from ops.refreshes")
        found = markers.found([*databases(embedded), *files(home), *printed])
    return Search(undeclared, {*markers.columns.values()}, found, failed, shown, refreshes)


def test_what_is_not_declared_is_found_nowhere(search: Search) -> None:
    assert search.undeclared
    assert {column: places for column, places in search.found.items() if column in search.undeclared} == {}


def test_what_is_declared_is_found_wherever_it_is(search: Search) -> None:
    declared = search.written - search.undeclared
    assert {column for column in declared if "database warehouse" in search.found.get(column, ())} == declared
    places = {place for column in declared for place in search.found[column]}
    assert places >= {"database dagster", "output", "postgres/log"}
    assert any(place.startswith("data_docs/") for place in places)


def test_rows_with_undeclared_columns_are_told_by_a_sync_and_shown_by_checks(search: Search) -> None:
    told = {system for system, outcome in search.failed.items() if outcome.code == 1 and "the row is (" in outcome.err}
    assert told == {system for system, tables in UNDECLARED.items() if tables}
    orphans = {f"{system}.{name}" for system, tables in UNDECLARED.items() for name in tables if CONTRACTS[system].tables[name].references}
    assert orphans
    assert search.shown >= orphans
    assert search.refreshes == 1
