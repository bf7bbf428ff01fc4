"""What analysts may use of the server, by trying: as each role, in a warehouse as `runmart migrate` leaves it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psycopg2
import pytest
from psycopg2 import errors

from dagster_project.postgres.roles import ANALYST
from dagster_project.resources.analysts import restrain
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.settings import AnalystLimits
from migrations.run import upgrade
from tests.databases import create_login, run
from tests.waiting import until

TIGHT = AnalystLimits(connections=2, statement_seconds=1, idle_seconds=1, temp_megabytes=1)

# Statements, and who may execute them: analyst, ingest, transform.
ACTS = {
    "lock table locks.publication in exclusive mode": {"transform"},
    "lock table locks.sync_small in exclusive mode": {"ingest"},
    "lock table ops.refreshes in access share mode": {"transform"},
    "lock table quality.validation_results in exclusive mode": {"transform"},
    "lock table quality.validation_results in access share mode": {"analyst", "transform"},
    "create table locks.mine ()": {"ingest"},
    "create temporary table mine ()": {"ingest", "transform"},
    "create table public.mine ()": set(),
    "create schema mine": {"ingest", "transform"},
    "create publication mine": {"ingest", "transform"},
    "select pg_advisory_lock(hashtext('runmart publish'))": set(),
    "select pg_advisory_lock_shared(1)": set(),
    "select pg_try_advisory_lock(hashtext('runmart sync'), hashtext('forecast_tracking'))": set(),
    "select pg_advisory_xact_lock(1, 2)": set(),
    "select pg_try_advisory_xact_lock_shared(1)": set(),
    "select pg_advisory_unlock_all()": set(),
    "select lo_create(0)": set(),
    "select lo_creat(-1)": set(),
    "select lo_from_bytea(0, 'x')": set(),
    "select lo_put(1, 0, 'x')": set(),
    "select lowrite(0, 'x')": set(),
    "select lo_import('/etc/hostname')": set(),
    "select pg_logical_emit_message(true, 'mine', 'x')": set(),
    "select pg_logical_emit_message(false, 'mine', 'x'::bytea)": set(),
    "select pg_current_xact_id()": set(),
    "select txid_current()": set(),
    "set temp_file_limit = -1": set(),
    "alter role runmart_analyst connection limit -1": set(),
    "alter role runmart_analyst set temp_file_limit = -1": set(),
    "copy (select 1) to program 'true'": set(),
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'": set(),
    "select count(*) from quality.validation_results": {"analyst", "transform"},
}


@pytest.fixture
def warehouse(new_database: Callable[[str], str]) -> Iterator[str]:
    """URL of a warehouse in which a system was synced, with the limits of analysts."""
    url = new_database("warehouse")
    assert restrain(url, AnalystLimits()) == []
    run(url, "set role runmart_ingest; create table locks.sync_small ()")
    yield url
    # The limit of connections is one for all databases of the server.
    restrain(url, AnalystLimits())


@pytest.fixture
def as_analyst(warehouse: str) -> Iterator[Callable[[], psycopg2.extensions.connection]]:
    """Logs in to the warehouse as an analyst does."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(psycopg2.connect(analyst_url(warehouse))))


def analyst_url(url: str) -> str:
    return url.replace("postgres@", f"{ANALYST}@")


def may(url: str, role: str, statement: str) -> bool:
    """Whether a role may execute a statement, which is then undone."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"set role runmart_{role}")
        try:
            cursor.execute(statement)
        except errors.InsufficientPrivilege:
            return False
        return True


def test_each_role_may_do_what_it_is_there_for(warehouse: str) -> None:
    tried = {act: {role for role in ("analyst", "ingest", "transform") if may(warehouse, role, act)} for act in ACTS}
    assert tried == ACTS


def test_without_restraint_the_functions_are_there(new_database: Callable[[str], str]) -> None:
    """Else it would be something other than the restraint that refuses them."""
    url = new_database("warehouse")
    for statement in ("select pg_advisory_lock(1)", "select lo_create(0)", "select pg_current_xact_id()"):
        assert may(url, "analyst", statement)


def test_analyst_who_logs_in_is_no_more_than_the_role(warehouse: str) -> None:
    url = analyst_url(warehouse)
    assert {act for act in ACTS if may(url, "analyst", act)} == {act for act, roles in ACTS.items() if "analyst" in roles}
    for role in ("runmart_ingest", "runmart_transform", "postgres"):
        with pytest.raises(errors.InsufficientPrivilege):
            run(url, f"set role {role}")


@pytest.mark.parametrize("database", ["postgres", "template1", "test_dagster", "test_source"])
def test_other_databases_of_the_embedded_server_are_closed(server: EmbeddedServer, warehouse: str, database: str) -> None:
    server.ensure_database(database)
    with pytest.raises(psycopg2.OperationalError, match=f'permission denied for database "{database}"'):
        psycopg2.connect(server.url(database, ANALYST)).close()
    psycopg2.connect(server.url(database)).close()
    psycopg2.connect(analyst_url(warehouse)).close()


def test_database_that_was_open_is_closed_when_it_is_used_next(server: EmbeddedServer) -> None:
    """So are those of homes that an earlier version has made."""
    server.ensure_database("test_open")
    run(server.url("postgres"), "grant connect on database test_open to public")
    server.ensure_database("test_open")
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(server.url("test_open", ANALYST)).close()


def test_limits_hold(warehouse: str, as_analyst: Callable[[], psycopg2.extensions.connection]) -> None:
    assert restrain(warehouse, TIGHT) == []
    first = as_analyst()
    first.autocommit = True
    with first.cursor() as cursor:
        with pytest.raises(errors.QueryCanceled, match="statement timeout"):
            cursor.execute("select pg_sleep(600)")
        cursor.execute("set work_mem = '64kB'; set statement_timeout = 0")
        with pytest.raises(errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            cursor.execute("select n from generate_series(1, 1000000) as n order by md5(n::text)")
    idle = as_analyst()
    with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
        as_analyst()
    idle.cursor().execute("select 1")
    until(lambda: run(warehouse, "select count(*) from pg_stat_activity where usename = %s", ANALYST) == [(1,)])
    with pytest.raises(psycopg2.OperationalError):
        idle.cursor().execute("select 1")


def test_limits_that_an_analyst_has_lifted_are_set_again(warehouse: str) -> None:
    ((database,),) = run(warehouse, "select current_database()")
    lifted = (f"alter role {ANALYST} in database {database} set statement_timeout = 0", f"alter role {ANALYST} set work_mem = '1GB'")
    for statement in lifted:
        run(analyst_url(warehouse), statement)
    assert run(analyst_url(warehouse), "show statement_timeout") == [("0",)]
    assert restrain(warehouse, AnalystLimits(statement_seconds=77)) == []
    assert run(analyst_url(warehouse), "show statement_timeout") == [("77s",)]
    run(warehouse, f"alter role {ANALYST} reset work_mem")


def test_platform_keeps_its_connections(warehouse: str) -> None:
    ((of_server,),) = run(warehouse, "select current_setting('max_connections')::integer - 53")
    (line,) = restrain(warehouse, AnalystLimits(connections=1000))
    assert f"{ANALYST} may open {of_server} connections at a time, not 1000" in line
    assert "set max_connections = 1053 there" in line
    assert run(warehouse, "select rolconnlimit from pg_roles where rolname = %s", ANALYST) == [(of_server,)]
    assert restrain(warehouse, AnalystLimits()) == []


def test_owner_who_is_no_superuser_sets_what_he_may(server: EmbeddedServer, template_database: Callable[[str], str]) -> None:
    """On a server of the user's own: what is left is said in one line, and done by a superuser once."""
    template_database("warehouse")
    server.ensure_database("test_owned")
    create_login(server.url("test_owned"), "test_owner")
    run(
        server.url("test_owned"),
        "alter role test_owner createrole; grant runmart_ingest, runmart_transform, runmart_analyst to test_owner with admin option;"
        " alter database test_owned owner to test_owner; alter schema public owner to test_owner",
    )
    url = server.url("test_owned", "test_owner")
    upgrade("warehouse", url)
    (line,) = restrain(url, AnalystLimits(statement_seconds=78))
    assert "only a superuser of the warehouse's server may set temp_file_limit, rights on " in line
    assert "run `runmart migrate` once with a superuser in RUNMART_WAREHOUSE_URL" in line
    assert run(server.url("test_owned", ANALYST), "show statement_timeout") == [("78s",)]
    run(url, "set role runmart_ingest; create table locks.sync_small ()")
    locks = {act: roles for act, roles in ACTS.items() if "locks." in act}
    assert {act: {role for role in ("analyst", "ingest", "transform") if may(url, role, act)} for act in locks} == locks
    assert restrain(server.url("test_owned"), AnalystLimits(statement_seconds=78)) == []
    assert restrain(url, AnalystLimits(statement_seconds=78)) == []
