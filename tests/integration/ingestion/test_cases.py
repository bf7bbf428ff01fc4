"""Every small database that failed once: drafted, synced twice in each capture mode, equal to its source, and clean by its own checks."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dagster_project.ingestion import slot
from dagster_project.ingestion.sync import SyncResult, sync
from dagster_project.quality.validation import Project, validations
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.scaffold.contract_file import contract_text
from dagster_project.scaffold.drafting import Draft
from dagster_project.scaffold.raw_types import RawTypes
from dagster_project.scaffold.suite_files import suites
from tests.databases import create_login, run
from tests.integration.capture import oracle
from tests.integration.ingestion import cases
from tests.integration.ingestion.conftest import failures


@dataclass(frozen=True)
class Case:
    """A case as a source, and an empty warehouse."""

    source_url: str
    warehouse_url: str
    capture: str
    draft: Draft
    types: RawTypes

    def sync(self) -> SyncResult:
        return sync(cases.in_mode(self.draft.contract, self.capture), self.source_url, self.warehouse_url)

    def exact_sync(self) -> SyncResult:
        """A sync after which raw equals the source, every table of it."""
        result = self.sync()
        assert failures(result) == {}
        contract = self.draft.contract
        source, raw = oracle.source_contents(self.source_url, contract), oracle.raw_contents(self.warehouse_url, contract)
        assert oracle.compare(source, raw).total == 0, oracle.compare(source, raw)
        return result

    def failed_checks(self) -> set[str]:
        """The checks of the draft that fail."""
        contract = self.draft.contract
        found = validations(self.warehouse_url, [*suites(self.draft, self.types)], Project({contract.system: contract}))
        return {
            f"{validation.suite.partition('.')[2]} {result.check_name}"
            for validation in found
            for result in validation.results
            if not result.is_success
        }


@pytest.fixture
def load(new_database: Callable[[str], str]) -> Iterator[Callable[[str, str], Case]]:
    warehouses = []

    def loaded(name: str, capture: str) -> Case:
        source, warehouse = new_database("empty"), new_database("warehouse")
        warehouses.append(warehouse)
        cases.load(source, name)
        case = Case(source, warehouse, capture, *cases.drafted(source, warehouse))
        if capture == "cdc":
            slot.enable(cases.in_mode(case.draft.contract, capture), source)
        return case

    yield loaded
    for url in warehouses:
        run(url, "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")


EVERY_CASE = [pytest.param(name, capture, id=f"{name}-{capture}") for name in cases.names() for capture in ("horizon", "cdc")]
IN_BOTH_MODES = pytest.mark.parametrize("capture", ["horizon", "cdc"])


@pytest.mark.parametrize(("name", "capture"), EVERY_CASE)
def test_case_is_synced_whole_and_passes_its_checks(load: Callable[[str, str], Case], name: str, capture: str) -> None:
    case = load(name, capture)
    case.exact_sync()
    assert {(table.rows_inserted, table.rows_updated, table.rows_deleted) for table in case.exact_sync().tables} == {(0, 0, 0)}
    # A text with a NUL in it, and a number that jsonb has no room for: counted, and nothing else.
    unreadable = {"json_nul": {"docs body_can_be_read"}, "json_number": {"reading doc_can_be_read"}, "awkward": set()}
    assert case.failed_checks() == unreadable.get(name, set())


@IN_BOTH_MODES
@pytest.mark.parametrize(
    ("name", "column", "kind"), [("xml_column", ("feeds", "body"), "xml"), ("empty_tsquery", ("q", "v"), "tsquery")], ids=str
)
def test_type_that_the_warehouse_cannot_hold_is_text_and_said_to_be(
    load: Callable[[str, str], Case], name: str, column: tuple[str, str], kind: str, capture: str
) -> None:
    case = load(name, capture)
    assert case.types.as_text == {column: kind}
    assert f"# - {'.'.join(column)} ({kind})" in contract_text(case.draft, case.types).splitlines()
    case.exact_sync()
    ((is_text,),) = run(case.warehouse_url, f"select pg_typeof({column[1]}) = 'text'::regtype from raw_small.{column[0]} limit 1")
    assert is_text


@IN_BOTH_MODES
def test_json_is_kept_as_it_is_written(load: Callable[[str, str], Case], capture: str) -> None:
    case = load("json_nul", capture)
    case.exact_sync()
    assert run(case.warehouse_url, "select body::text, ops.json_or_null(body) from raw_small.docs order by id") == [
        ('{"a":1}', {"a": 1}),
        (r'"\u0000"', None),
    ]


@IN_BOTH_MODES
def test_composite_type_that_gets_an_attribute_is_read_again(load: Callable[[str, str], Case], capture: str) -> None:
    case = load("composite_type", capture)
    case.exact_sync()
    run(case.source_url, "alter type addr add attribute zip text")
    case.exact_sync()
    assert run(case.warehouse_url, "select home from raw_small.person order by id") == [("(s,c,)",), (None,)]
    run(case.source_url, "alter table thing rename to article")
    result = case.sync()
    assert set(failures(result)) == {"thing"}
    assert run(case.warehouse_url, "select tab from raw_small.person order by id") == [("article",), ("person",)]


@pytest.fixture
def guarded(load: Callable[[str, str], Case]) -> Iterator[tuple[Case, str]]:
    """A case with a guarded table, and its URL for a role that may select from all tables and nothing else."""
    case = load("rls", "horizon")
    create_login(case.source_url, "case_reader")
    run(case.source_url, "grant select on open_table, guarded to case_reader")
    yield case, case.source_url.replace("postgres@", "case_reader@")
    run(case.source_url, "drop owned by case_reader; drop role case_reader")


def test_guarded_table_is_left_out_with_the_reason(guarded: tuple[Case, str]) -> None:
    case, url = guarded
    made, _ = cases.drafted(url, case.warehouse_url)
    assert [*made.contract.tables] == ["open_table"]
    ((name, reason),) = ((one.name, one.reason) for one in made.left_out)
    assert name == "guarded"
    assert reason.startswith("row level security may hide rows of it from this role: give it a policy")
    # Declared by hand, it fails alone.
    result = sync(case.draft.contract, url, case.warehouse_url)
    assert set(failures(result)) == {"guarded"}
    assert run(case.warehouse_url, "select id from raw_small.open_table") == [(1,)]


@pytest.fixture(scope="module")
def in_japan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that knows a currency without decimals."""
    localedef = shutil.which("localedef")
    if localedef is None or not Path("/usr/share/i18n/locales/ja_JP").exists():
        pytest.skip("this machine cannot make a locale: Debian's package `locales` is missing")
    locales = Path(tempfile.mkdtemp(prefix="locales-"))
    subprocess.run([localedef, "-i", "ja_JP", "-f", "UTF-8", str(locales / "ja_JP.UTF-8")], capture_output=True, check=True)
    # The server is another user, and what made the files may have kept them to itself.
    for path in (locales, *locales.rglob("*")):
        path.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCPATH", str(locales))
        server = EmbeddedServer(Path(tmp_path_factory.mktemp("japan")) / "data", {"fsync": "off", "wal_level": "logical"})
        server.start()
    yield server
    server.stop()
    shutil.rmtree(locales)


@IN_BOTH_MODES
def test_money_is_the_number_that_the_source_has(in_japan: EmbeddedServer, new_database: Callable[[str], str], capture: str) -> None:
    in_japan.ensure_database(capture)
    source, warehouse = in_japan.url(capture), new_database("warehouse")
    run(source, f"alter database {capture} set lc_monetary = 'ja_JP.UTF-8'")
    cases.load(source, "money_locale")
    assert run(source, "select amount::text from price order by id") == [("￥1,000",), ("￥25",)]
    case = Case(source, warehouse, capture, *cases.drafted(source, warehouse))
    if capture == "cdc":
        slot.enable(cases.in_mode(case.draft.contract, capture), source)
    case.exact_sync()
    assert run(warehouse, "select amount, pg_typeof(amount)::text from raw_small.price order by id") == [(1000, "numeric"), (25, "numeric")]
    assert case.failed_checks() == set()
