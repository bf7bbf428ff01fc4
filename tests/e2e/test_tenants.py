"""Tenants on one home: each in databases of its own, of which nothing is left when it has been removed, and whose fault is its own.

Each text and JSON column of the tenant `acme` is a marker, as far as its rules allow one. `beta` and `gamma` have runs that were made up;
the source of `gamma` is on a server of its own, which stops.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import psycopg2
import pytest

from dagster_project.commands.setup import find_databases
from dagster_project.definitions import definitions_of
from dagster_project.demo.llm_tenant import fill_tenant
from dagster_project.postgres.urls import as_role, on_database
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.instance import open_instance
from dagster_project.settings import PROJECT_ROOT
from dagster_project.warehouse import of_tenants
from migrations.run import upgrade
from tests.databases import run
from tests.e2e.in_process import Outcome, Run, runmart_on
from tests.e2e.markers import PG_DUMP, Markers, can_hold_marker, databases, files, tables_of

SYSTEM = "llm_workflow"
ONE_ROW_EACH = PROJECT_ROOT / "tests" / "integration" / "migrations" / f"{SYSTEM}.sql"
UNSAFE = {"fsync": "off", "shared_buffers": "'64MB'"}

# What a role of PostgreSQL's own may read in every database, such as the names of tables.
OF_POSTGRES = ("pg_catalog", "information_schema")

SCHEMAS = "select nspname from pg_namespace where nspname !~ '^pg_(toast|temp)' order by 1"
RELATIONS = "select quote_ident(relname) from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'v', 'm', 'p')"


@dataclass
class Home:
    """A home with tenants.

    Attributes:
        folder: The home.
        server: Its server.
        runmart: The command on it.
        elsewhere: The server of the source of gamma.
        markers: Those in the source of acme.
        first: How the first sync of all tenants ended.
        shared: How the sync and refresh of the shared warehouse after it ended.
        before: Where the markers of acme were found before it was removed.
    """

    folder: Path
    server: EmbeddedServer
    runmart: Run
    elsewhere: EmbeddedServer
    markers: Markers
    first: Outcome | None = None
    shared: Outcome | None = None
    before: dict[str, set[str]] | None = None

    def warehouse(self, tenant: str) -> str:
        """Libpq URL of the warehouse of a tenant."""
        return self.server.url(f"warehouse__{SYSTEM}__{tenant}")

    def published(self, tenant: str) -> list[tuple[object, ...]]:
        """When the marts of a tenant were published, and what of."""
        return run(self.warehouse(tenant), "select refresh_id, batches from ops.refreshes order by 1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Three tenants, brought up to date once, and the shared warehouse after them."""
    folder = tmp_path_factory.mktemp("tenants")
    server, elsewhere = EmbeddedServer(folder / "postgres", UNSAFE), EmbeddedServer(tmp_path_factory.mktemp("elsewhere") / "data", UNSAFE)
    for one in (server, elsewhere):
        one.start()
    elsewhere.ensure_database("gamma")
    upgrade(SYSTEM, elsewhere.url("gamma"))
    with runmart_on(folder) as runmart:
        assert runmart("migrate").code == 0
        assert runmart("tenant", "add", "acme", "--name", "Acme Corp").code == 0
        assert runmart("tenant", "add", "beta").code == 0
        assert runmart("tenant", "add", "gamma", "--url", elsewhere.url("gamma")).code == 0
        there = Home(folder, server, runmart, elsewhere, Markers())
        acme = server.url(f"{SYSTEM}__acme")
        run(acme, ONE_ROW_EACH.read_text(encoding="utf-8"))
        for table in tables_of(SYSTEM).values():
            for column in filter(can_hold_marker, table.columns):
                there.markers.write(acme, SYSTEM, column, unchecked=True)
        for tenant, url in (("beta", server.url(f"{SYSTEM}__beta")), ("gamma", elsewhere.url("gamma"))):
            fill_tenant(url, tenant, folder / "storage", lambda _: None, runs=20)
        there.first = runmart("sync", SYSTEM)
        there.shared = runmart("sync", "--refresh")
        there.before = there.markers.found([*databases(server), *files(folder)])
        yield there
    elsewhere.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_every_tenant_is_brought_up_to_date(home: Home) -> None:
    assert home.first is not None
    assert home.first.code == 0, home.first.err
    for tenant in ("acme", "beta", "gamma"):
        assert len(home.published(tenant)) == 1
    steps = "select id, run_id, step, status from {} order by 1"
    raw = run(home.warehouse("beta"), steps.format("raw_llm_workflow.steps"))
    assert raw == run(home.server.url(f"{SYSTEM}__beta"), steps.format("steps"))


def test_tenants_without_news_have_no_run(home: Home) -> None:
    again = home.runmart("sync", SYSTEM)
    assert again.code == 0
    assert again.out.count("nothing new") == 3
    assert all(len(home.published(tenant)) == 1 for tenant in ("acme", "beta", "gamma"))


def test_a_tenant_that_is_listed_is_found_and_those_with_news_are_run(home: Home) -> None:
    """By the sensor and the schedule of the daemon; the list is somebody else's to write."""
    control = home.server.url("llm_control")
    run(control, "insert into tenants (id, name, database_url) values ('dune', 'Dune', %s)", f"postgresql:///{SYSTEM}__dune")
    run(control, "insert into tenants (id, name, database_url, is_active) values ('ended', 'Ended', 'postgresql:///nowhere', false)")
    home.server.ensure_database(f"{SYSTEM}__dune")
    upgrade(SYSTEM, home.server.url(f"{SYSTEM}__dune"))
    repository = definitions_of(of_tenants(SYSTEM)).get_repository_def()
    with open_instance(find_databases()) as instance:
        looked = repository.get_sensor_def(f"{SYSTEM}__tenants")(dg.build_sensor_context(instance, repository_def=repository))
        assert isinstance(looked, dg.SensorResult)
        assert [request.partition_keys for request in looked.dynamic_partitions_requests or ()] == [["dune"]]
        assert [request.partition_key for request in looked.run_requests or ()] == ["dune"]
        assert run(home.warehouse("dune"), "select count(*) from ops.refreshes") == [(0,)]
        hourly = repository.get_schedule_def(f"{SYSTEM}__hourly_sync_and_refresh")
        instance.add_dynamic_partitions(SYSTEM, ["dune"])
        asked = hourly.evaluate_tick(dg.build_schedule_context(instance, scheduled_execution_time=datetime.now(UTC))).run_requests
        assert [request.tags["dagster/partition"] for request in asked or ()] == ["dune"]
    assert home.runmart("sync", SYSTEM, "--tenant", "dune").code == 0
    assert home.runmart("tenant", "remove", "dune", "--yes").code == 0
    assert "not active" in home.runmart("sync", SYSTEM, "--tenant", "ended").line
    run(control, "delete from tenants where id = 'ended'")


def test_each_role_reads_what_is_its_own(home: Home) -> None:
    """Tried with every role that may log in, in every database and every schema."""
    url = home.server.url("postgres")
    roles = [role for (role,) in run(url, "select rolname from pg_roles where rolcanlogin and not rolsuper order by 1")]
    tenants = {f"warehouse__{SYSTEM}__{tenant}" for tenant in ("acme", "beta", "gamma")}
    assert {*roles} == {"runmart_analyst", *tenants}
    reached = set()
    for (database,) in run(url, "select datname from pg_database where datallowconn order by 1"):
        for role in roles:
            for (schema,) in run(on_database(url, database), SCHEMAS):
                if schema not in OF_POSTGRES and is_read(as_role(on_database(url, database), role), schema):
                    reached.add((role, database, schema))
    own = {(name, name, schema) for name in tenants for schema in ("analytics", "quality")}
    assert reached == own | {("runmart_analyst", "warehouse", schema) for schema in ("analytics", "quality")}


def is_read(url: str, schema: str) -> bool:
    """Whether a role can connect, and read a row of any relation of a schema."""
    try:
        relations = run(url, RELATIONS, schema)
    except psycopg2.OperationalError:
        return False
    for (name,) in relations:
        try:
            run(url, f'select from "{schema}".{name} limit 1')
        except psycopg2.errors.InsufficientPrivilege:
            continue
        return True
    return False


def test_a_tenant_that_is_down_stops_itself_only(home: Home) -> None:
    run(home.server.url(f"{SYSTEM}__beta"), "update runs set status = 'failed' where status = 'completed'")
    home.elsewhere.stop()
    there = home.runmart("sync", SYSTEM)
    home.elsewhere.start()
    assert there.code == 1
    assert [line.partition(": ")[2].partition(":")[0] for line in there.lines] == ["gamma"]
    assert str(home.elsewhere.folder) not in there.err + there.out
    assert [len(home.published(tenant)) for tenant in ("acme", "beta", "gamma")] == [1, 2, 1]
    assert home.runmart("sync", SYSTEM).code == 0


def test_an_export_is_a_database_of_the_tenant_on_another_server(home: Home, tmp_path: Path) -> None:
    assert home.runmart("tenant", "export", "beta", str(tmp_path)).code == 0
    home.elsewhere.ensure_database("handed_over")
    url = home.elsewhere.url("handed_over")
    restore = [str(PG_DUMP.with_name("pg_restore")), "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", url]
    restored = subprocess.run([*restore, str(tmp_path / "beta.dump")], capture_output=True, text=True, check=False)
    assert restored.returncode == 0, restored.stderr
    relations = run(home.warehouse("beta"), RELATIONS, "analytics")
    assert relations
    for (relation,) in relations:
        rows = f"select md5(coalesce(string_agg(one::text, ' ' order by one::text), '')) from analytics.{relation} as one"
        assert run(url, rows) == run(home.warehouse("beta"), rows), relation
    refused = home.runmart("tenant", "export", "beta", str(tmp_path))
    assert "is there already" in refused.line


def test_nothing_is_left_of_a_tenant_that_was_removed(home: Home) -> None:
    assert home.before is not None
    declared = {"llm_workflow.steps.error_message", "llm_workflow.artifacts.file_type", "llm_workflow.audit_logs.user_id"}
    assert all("database warehouse__llm_workflow__acme" in home.before[column] for column in declared)
    removed = home.runmart("tenant", "remove", "acme", "--yes")
    assert removed.code == 0, removed.err
    assert home.markers.found([*databases(home.server), *files(home.folder)]) == {}
    assert home.runmart("tenant", "list").out.count("acme") == 0
    dagster = home.server.url("dagster")
    assert run(dagster, "select count(*) from event_logs where event like '%%acme%%'") == [(0,)]
    assert run(dagster, "select count(*) from asset_check_executions where partition = 'acme'") == [(0,)]
    assert run(dagster, "select count(*) from dynamic_partitions where partition = 'acme'") == [(0,)]
    assert len(home.published("gamma")) == 1
    assert "there is no tenant" in home.runmart("sync", SYSTEM, "--tenant", "acme").line
    assert "there is no tenant" in home.runmart("tenant", "remove", "acme", "--yes").line
