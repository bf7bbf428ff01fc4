"""One source, one warehouse and one warm dbt for all tests of marts.

Belongs here: making source rows, syncing them, running dbt in this process, and asking both databases. Does not belong here: what the rows
mean, and what is expected of them.
"""

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import psycopg2
import pytest
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest as ParsedManifest
from dbt.contracts.graph.nodes import CompiledNode
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import parse_dsn

from benchmarks.warm_marts import built
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts, shared_contracts
from dagster_project.errors import RunmartError
from dagster_project.ingestion.sync import sync
from dagster_project.marts.definition import definition
from dagster_project.marts.held import held_models, held_tables
from dagster_project.marts.lineage import read_project
from dagster_project.marts.plan import Plan, make_plan
from dagster_project.marts.postgres.engine import PostgresEngine
from dagster_project.quality.quarantine import bring_up_to_date
from dagster_project.quality.suites import load_suites
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.share import namespaces, without_systems
from dagster_project.settings import PROJECT_ROOT
from dagster_project.warehouse import Namespace
from tests.databases import Row, replace_rows, run
from tests.dbt_manifest import Manifest, behind, kept_of, marts_of, models_of, project_manifest, source_tables
from tests.failing_rows import failing, suite_of
from tests.histories.catalog import read_schema
from tests.histories.history import History
from tests.histories.schema import Schema
from tests.histories.singled_out import singled_out
from tests.tables import make_tables

SYSTEM = "forecast_tracking"
WAREHOUSE = "marts_warehouse"


@dataclass
class House:
    """The source databases of some systems, a warehouse and dbt. One system at a time is the one whose rows change.

    Attributes:
        source_urls: libpq URLs of the sources, by system.
        warehouse_url: libpq URL of the warehouse.
        server_url: libpq URL of another database of their server.
        work: Folder for what dbt writes.
        root: Where the dbt project is, and the contracts: in folders as in the checkout.
        system: The system whose rows change.
        contracts: Of the systems in the warehouse.
        manifest: What it is made of.
        plan: How its marts are refreshed.
    """

    source_urls: Mapping[str, str]
    warehouse_url: str
    server_url: str
    work: Path
    root: Path = PROJECT_ROOT
    system: str = SYSTEM
    contracts: Mapping[str, SystemContract] = field(init=False, repr=False)
    manifest: Manifest = field(init=False, repr=False)
    plan: Plan = field(init=False, repr=False)
    _runner: dbtRunner = field(init=False)
    _moment: datetime | None = field(init=False, default=None)
    _tables: dict[str, set[str]] = field(init=False, repr=False, default_factory=dict)
    _schemas: dict[str, Schema] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Parse the project once; every command of this house starts from that."""
        self.parse()

    def parse(self, *flags: str) -> None:
        """Parse the project as it stands."""
        contracts = load_contracts(self.root / "dagster_project" / "defs" / "sources")
        self.contracts = {system: contracts[system] for system in contracts if system in self.source_urls}
        self._runner = dbtRunner()
        parsed = self.dbt("parse", *flags)
        assert parsed.success, parsed.exception
        manifest = json.loads((self.work / "target" / "manifest.json").read_text(encoding="utf-8"))
        self.manifest = {**manifest, **without_systems(manifest, contracts.keys() - self.contracts.keys())}
        self.plan = make_plan(read_project(self.manifest), self.contracts)
        self._runner = dbtRunner(manifest=cast("ParsedManifest", parsed.result))

    @contextmanager
    def changing(self, system: str) -> Iterator[None]:
        """Within, rows of another system change."""
        before, self.system = self.system, system
        try:
            yield
        finally:
            self.system = before

    @property
    def source_url(self) -> str:
        """Libpq URL of the source whose rows change."""
        return self.source_urls[self.system]

    @property
    def tables(self) -> set[str]:
        """The tables of the source that are behind the marts."""
        if self.system not in self._tables:
            found = source_tables(self.manifest, behind(self.manifest, marts_of(self.manifest)))
            self._tables[self.system] = {table for system, table in found if system == self.system}
        return self._tables[self.system]

    def is_made_of_these(self, model: str) -> bool:
        """Whether rows of the system whose rows change are behind a model."""
        return bool(self.plan.project.behind(model) & {(self.system, table) for table in self.tables})

    def is_made_of_others(self, model: str) -> bool:
        """Whether all raw rows behind a model are of other systems."""
        systems = {system for system, _ in self.plan.project.behind(model)} & self.contracts.keys()
        return bool(systems) and self.system not in systems

    @property
    def kept(self) -> list[str]:
        """Models of which refreshes keep a table and that are made of rows of the system whose rows change."""
        return [name for name in kept_of(self.manifest) if self.is_made_of_these(name)]

    @property
    def schema(self) -> Schema:
        """What histories of the source are made of: its tables behind the marts, and what the SQL of these says of their columns."""
        if self.system not in self._schemas:
            self._schemas[self.system] = self._read_schema()
        return self._schemas[self.system]

    def _read_schema(self) -> Schema:
        contract = self.contracts[self.system]
        read = behind(self.manifest, marts_of(self.manifest))
        compiled = self.dbt("compile", "--select", "resource_type:model", "--exclude", "resource_type:test")
        nodes = [cast("CompiledNode", entry.node) for entry in cast("RunExecutionResult", compiled.result).results]
        # In one order, or the same seed would draw other values.
        queries = {node.name: node.compiled_code or "" for node in sorted(nodes, key=lambda node: node.name) if node.unique_id in read}
        staging = {name for name, model in models_of(self.manifest).items() if any(source[0] == self.system for source in model["sources"])}
        said = singled_out(
            {column for table in self.tables for column in contract.tables[table].columns},
            [query for name, query in queries.items() if name in staging],
            [query for name, query in queries.items() if name not in staging],
        )
        return read_schema(self.source_url, contract, self.tables, said, unique_columns(self.system))

    def history(self, number: int, seed: int) -> History:
        """A history of the source."""
        return History(self.schema, number, seed)

    def source(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement at the source."""
        return run(self.source_url, statement, *parameters)

    def warehouse(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement in the warehouse."""
        return run(self.warehouse_url, statement, *parameters)

    def keep(self) -> None:
        """Keep the warehouse as it is now, for `reset`."""
        self._copy_database(self._name, f"{self._name}_kept")

    def reset(self) -> None:
        """Bring the warehouse back to what it was at `keep`."""
        self._copy_database(f"{self._name}_kept", self._name)

    @property
    def _name(self) -> str:
        return str(parse_dsn(self.warehouse_url)["dbname"])

    def _copy_database(self, template: str, name: str) -> None:
        connection = psycopg2.connect(self.server_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"drop database if exists {name} with (force)")
            cursor.execute(f"create database {name} template {template}")
            # A clone has the template's contents but not the rights on the database itself.
            cursor.execute(
                f"update pg_database set datacl = (select datacl from pg_database where datname = '{template}') where datname = '{name}'"
            )
        connection.close()

    def empty_others(self) -> None:
        """Leave no row of other systems than the one whose rows change: most tests ask what marts hold of that one alone."""
        for system in self.contracts.keys() - {self.system}:
            with self.changing(system):
                self.fill({})

    def fill(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Replace all rows of the source that are behind marts by these, in this order of tables, and sync."""
        contract = self.contracts[self.system]
        replace_rows(self.source_url, self.tables | rows.keys(), rows, lambda table: contract.table(table).source)
        self.sync()

    def sync(self) -> int:
        """Bring raw up to date; gives the batch."""
        return sync(self.contracts[self.system], self.source_url, self.warehouse_url).batch_id

    def set_aside(self, chance: random.Random | None = None) -> int:
        """Let some rows of each table fail a rule, and set them aside with what hangs on them; without chance none. Gives how many are."""
        self.warehouse("delete from quality.failing_rows")
        contract, seed = self.contracts[self.system], str(chance.random() if chance else "")
        for table in sorted(self.tables) if chance else ():
            key = ", ".join(f"'{column}', \"{column}\"" for column in contract.tables[table].key)
            keys = f"select jsonb_build_object({key}) as key from {contract.raw_schema}.{table}"
            some = f"select key from ({keys}) as raw where abs(hashtext(key::text || %s)) %% 12 = 0 order by key limit 9"
            self.warehouse(failing(some), f"{self.system}/{table}", seed)
        suites = [suite_of(self.system, table, declared.key) for table, declared in contract.tables.items()]
        bring_up_to_date(self.warehouse_url, contract, suites)
        return int(self.warehouse("select count(*) from quality.quarantine where released_at is null")[0][0])

    def hold(self, *tables: str) -> None:
        """Let these raw tables, and no others, hold back the marts that read them."""
        self.warehouse("delete from quality.held_tables")
        for table in tables:
            self.warehouse(
                "insert into quality.held_tables (system, table_name, reason) values (%s, %s, 'all is wrong')", self.system, table
            )

    def dbt(self, *arguments: str) -> dbtRunnerResult:
        """Run a dbt command; a first build of everything has been run already."""
        project = str(self.root / "dbt_project")
        read = ["--project-dir", project, "--profiles-dir", project]
        # Whatever earlier tests have left in the environment of this process.
        written = ["--target-path", str(self.work / "target"), "--log-path", str(self.work / "logs"), "--log-level-file", "info"]
        with self.connecting():
            return self._runner.invoke([*arguments, *read, *written])

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Within, dbt connects to this warehouse."""
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("RUNMART_DBT_NAME", self._name)
            environment.setenv("RUNMART_DBT_SYSTEMS", " ".join(self.contracts))
            yield

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Refreshes begin at this moment, as they tell it."""
        self._moment = moment
        try:
            yield
        finally:
            self._moment = None

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Within, dbt takes what it does for a part of the refresh that was begun last."""
        ((started_at,),) = self.warehouse("select started_at from ops.refresh_under_way")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("RUNMART_REFRESH", started_at.isoformat())
            yield

    @contextmanager
    def engine(self, history_days: int | None = None) -> Iterator[PostgresEngine]:
        """The engine of the warehouse; it keeps ended versions for so many days, or for ever."""
        connection = psycopg2.connect(self.warehouse_url, options="-c role=runmart_transform")
        try:
            yield PostgresEngine(connection, self.plan, definition(self.root), history_days)
        finally:
            connection.close()

    @contextmanager
    def transforming(self) -> Iterator[Cursor]:
        """A transaction in the warehouse, as the role that transforms."""
        with (
            closing(psycopg2.connect(self.warehouse_url, options="-c role=runmart_transform")) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def try_build(self, *marts: str, flags: Sequence[str] = (), publish: bool = True, failing: Mapping[str, str] | None = None) -> str:
        """Refresh these marts and what they read, without unit tests, which the first build has run; without names, all.

        Args:
            marts: Their names. A data test takes part if all that it reads is among them.
            flags: Further ones for `dbt build`; `--full-refresh` recomputes everything.
            publish: Whether to publish them if nothing fails.
            failing: By mart whose checks fail, the reason.

        Returns:
            What went wrong; empty if they are published.
        """
        together = [model.name for model in self.plan.published_with(marts)]
        part = ["--indirect-selection", "cautious", "--select", *(f"+{mart}" for mart in together)] if marts else []
        with self.engine() as engine:
            result = self._build(engine, [*flags, *part], together if marts else ())
            try:
                engine.end(built(result.result))
                if not result.success:
                    return messages(result)
                if publish:
                    engine.publish(marts, failing)
            except (RunmartError, psycopg2.Error) as error:
                return str(error)
        return ""

    def _build(
        self, engine: PostgresEngine, flags: Sequence[str], marts: Collection[str] = (), only: Collection[str] = ()
    ) -> dbtRunnerResult:
        """Begin a refresh of marts, or all, and let dbt build the models that it needs, or only these."""
        with self.transforming() as cursor:
            held = held_tables(cursor)
        begun = engine.begin(full="--full-refresh" in flags, marts=marts, left_out=held_models(self.plan, held), at=self._moment)
        left_out = ["--exclude", *(f"source:{'.'.join(table)}+" for table in held)] if held else []
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("RUNMART_REFRESH", begun.started_at.isoformat())
            environment.setenv("RUNMART_ONLY", " ".join(only or begun.models))
            return self.dbt("build", "--exclude-resource-type", "unit_test", *flags, *left_out)

    def rebuild(self) -> None:
        """Make whole candidates of all that is not made of rows of other systems alone, by a refresh that never ends."""
        names = [name for name in self.plan.project.models if not self.is_made_of_others(name)]
        with self.engine() as engine:
            result = self._build(engine, ["--exclude-resource-type", "test", "--full-refresh"], only=names)
        assert result.success, messages(result)

    def build(self, *marts: str, flags: Sequence[str] = (), publish: bool = True, failing: Mapping[str, str] | None = None) -> None:
        """As `try_build`; it must succeed."""
        assert self.try_build(*marts, flags=flags, publish=publish, failing=failing) == ""


def unique_columns(system: str) -> dict[str, list[tuple[str, ...]]]:
    """By table, the columns of which its suite says that no two rows have the same values: what a source holds by triggers has no index."""
    said: dict[str, list[tuple[str, ...]]] = {}
    for suite in load_suites().values():
        for each in suite.expectations if suite.system == system else ():
            match each.type:
                case "expect_column_values_to_be_unique":
                    said.setdefault(suite.table, []).append((each.kwargs["column"],))
                case "expect_compound_columns_to_be_unique":
                    said.setdefault(suite.table, []).append(tuple(each.kwargs["column_list"]))
    return said


def messages(result: dbtRunnerResult) -> str:
    """What went wrong in a dbt command."""
    results = getattr(result.result, "results", None) or []
    failed = [f"{entry.node.name}: {entry.message}" for entry in results if entry.status not in ("success", "pass", "warn", "skipped")]
    return "\n".join([*failed, str(result.exception or "")])


@pytest.fixture(scope="session")
def house(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The shared warehouse."""
    with _built(server, tmp_path_factory.mktemp("dbt"), WAREHOUSE, [*shared_contracts()]) as house:
        yield house


@pytest.fixture(scope="session")
def tenant_house(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The warehouse of a tenant."""
    (system,) = load_contracts().keys() - shared_contracts().keys()
    with _built(server, tmp_path_factory.mktemp("dbt_of_tenant"), f"{WAREHOUSE}_of_tenant", [system]) as house:
        yield house


@contextmanager
def _built(server: EmbeddedServer, work: Path, warehouse: str, systems: Sequence[str]) -> Iterator[House]:
    """A house whose marts have been built once, with all data and unit tests, from empty sources."""
    urls = {}
    for kind, name in (*((system, f"marts_{system}") for system in systems), ("warehouse", warehouse)):
        server.ensure_database(name)
        make_tables(kind, server.url(name))
        urls[kind] = server.url(name)
    url = urls.pop("warehouse")
    with pytest.MonkeyPatch.context() as environment:
        parts = parse_dsn(url)
        for name, part in (("HOST", "host"), ("USER", "user")):
            environment.setenv(f"RUNMART_DBT_{name}", parts[part])
        # As the platform refreshes: without a list of all relations first.
        environment.setenv("DBT_POPULATE_CACHE", "false")
        house = House(urls, url, server.url("postgres"), work, system=SYSTEM if SYSTEM in systems else systems[0])
        for system in systems:
            with house.changing(system):
                house.sync()
        house.build()
        result = house.dbt("test", "--select", "test_type:unit")
        assert result.success, messages(result)
        yield house


def houses() -> dict[str, Namespace]:
    """By the fixture of a house, whose warehouse it has."""
    return {"tenant_house" if namespace.tenants_of else "house": namespace for namespace in namespaces()}


def systems_with_marts() -> list[str]:
    """Those whose rows are behind marts."""
    manifest = project_manifest()
    found = source_tables(manifest, behind(manifest, marts_of(manifest)))
    return sorted({system for system, _ in found} & load_contracts().keys())


@pytest.fixture(params=systems_with_marts())
def each_house(request: pytest.FixtureRequest) -> Iterator[House]:
    """The house of each system, whose rows change."""
    house: House = request.getfixturevalue("house" if request.param in shared_contracts() else "tenant_house")
    with house.changing(request.param):
        house.empty_others()
        yield house
    house.empty_others()
