"""Bad input: each ends with one clear line on stderr, a code that is not zero, no traceback, and nothing half-written."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from dagster_project.commands.processes import claimed, free_port
from dagster_project.components import source_system
from dagster_project.contracts.loading import load_contracts, shared_contracts
from dagster_project.ingestion.errors import SyncError
from dagster_project.ingestion.sync import sync
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.settings import SOURCES_ROOT, url_variable
from migrations.run import upgrade
from tests.databases import create_login
from tests.e2e.in_process import Outcome, Run, runmart_on
from tests.e2e.servers import PASSWORD, old_server, password_server, resize, silent_server, small_disk
from tests.integration.ingestion.conftest import CONTRACT, Pair

_NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
_SYSTEM = "forecast_tracking"
_SOURCE_URL = url_variable(_SYSTEM)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def runmart(home: Path) -> Iterator[Run]:
    """`runmart("sync", RUNMART_…="…")` is the command in this process, on a home of its own."""
    with runmart_on(home) as run:
        yield run


@pytest.fixture
def own_databases(server: EmbeddedServer, new_database: Callable[[str], str]) -> dict[str, str]:
    """Variables for databases of the user's own, all of them good."""
    server.ensure_database("bad_input_dagster")
    return {
        "RUNMART_WAREHOUSE_URL": new_database("warehouse"),
        "RUNMART_DAGSTER_URL": server.url("bad_input_dagster"),
        **{url_variable(system): new_database(system) for system in shared_contracts()},
    }


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def assert_nothing_written(environment: dict[str, str]) -> None:
    """The warehouse has nothing of the system, whatever came of others."""
    batches, states = (f"(select count(*) from ops.{table} where system = '{_SYSTEM}')" for table in ("batches", "sync_state"))
    written = f"select {batches}, {states}, to_regnamespace('raw_{_SYSTEM}')::text"
    assert rows(environment["RUNMART_WAREHOUSE_URL"], written) == [(0, 0, None)]


@pytest.mark.parametrize("command", ["status", "migrate", "sync", "refresh", "check"])
def test_unreachable_warehouse(runmart: Run, own_databases: dict[str, str], command: str) -> None:
    line = runmart(command, **{**own_databases, "RUNMART_WAREHOUSE_URL": _NOWHERE}).line
    assert line.startswith("error: the ")
    assert 'warehouse cannot be reached: connection to server at "127.0.0.1", port 1 failed: Connection refused' in line


def test_unreachable_database_of_the_runs(runmart: Run, own_databases: dict[str, str]) -> None:
    line = runmart("sync", **{**own_databases, "RUNMART_DAGSTER_URL": _NOWHERE}).line
    assert line.startswith("error: the database dagster cannot be reached: ")


def test_warehouse_that_never_answers(runmart: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_server() as url:
        line = runmart("status", RUNMART_WAREHOUSE_URL=url, PGCONNECT_TIMEOUT="2").line
    assert line.startswith("error: the warehouse cannot be reached: ")
    assert "timeout expired" in line
    # Nobody sets it by hand: without a default of its own the command would wait for ever.
    monkeypatch.delenv("PGCONNECT_TIMEOUT")
    assert runmart("url", "nothing").code == 1
    assert int(os.environ["PGCONNECT_TIMEOUT"]) > 0


def test_unreachable_source_is_tried_again_then_reported(
    runmart: Run, own_databases: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_system, "_MAX_RETRIES", 1)
    outcome = runmart("sync", **{**own_databases, _SOURCE_URL: _NOWHERE})
    assert outcome.line.startswith("error: the source forecast_tracking cannot be reached: connection to server")
    assert "failed; what was published before is unchanged" in outcome.err
    assert_nothing_written(own_databases)


def test_wrong_password(runmart: Run, own_databases: dict[str, str], tmp_path: Path) -> None:
    with password_server(tmp_path / "asks") as url:
        assert rows(url.format(password=PASSWORD), "select 1") == [(1,)]
        for command, variable, database in (
            ("status", "RUNMART_WAREHOUSE_URL", "the warehouse"),
            ("migrate", "RUNMART_WAREHOUSE_URL", "the database warehouse"),
            ("refresh", "RUNMART_DAGSTER_URL", "the database dagster"),
            ("sync", _SOURCE_URL, "the source forecast_tracking"),
        ):
            line = runmart(command, **{**own_databases, variable: url.format(password=PASSWORD[:-1])}).line
            assert line.startswith(f"error: {database} refused the login: "), line
            assert line.endswith('password authentication failed for user "reader"; check user and password in its URL'), line
        line = runmart("status", RUNMART_WAREHOUSE_URL=url.replace(":{password}", "")).line
        assert "no password supplied" in line
    assert_nothing_written(own_databases)


def test_missing_right_on_a_source_table(runmart: Run, own_databases: dict[str, str]) -> None:
    source = own_databases[_SOURCE_URL]
    create_login(source, "bad_input_reader")
    try:
        rows(source, "grant usage on schema public, audit to bad_input_reader; grant select on experiments to bad_input_reader")
        lines = runmart("sync", **{**own_databases, _SOURCE_URL: source.replace("postgres@", "bad_input_reader@")}).lines
        guarded = "error: the source forecast_tracking, table experiments: row level security may hide rows of it from this role"
        assert lines[0].startswith(guarded)
        others = [table for table in shared_contracts()["forecast_tracking"].tables if table != "experiments"]
        assert [line.partition("; ")[0] for line in lines[1:]] == [
            f"error: the source forecast_tracking, table {table}: permission denied for table {table}" for table in others
        ]
        assert_nothing_written(own_databases)
    finally:
        rows(source, "drop owned by bad_input_reader; drop role bad_input_reader")


def test_missing_source_table(own_databases: dict[str, str]) -> None:
    """Like the missing right, without the seconds of another run; nothing ties this table to others, which are synced."""
    contract = shared_contracts()["forecast_tracking"]
    rows(own_databases[_SOURCE_URL], "drop table hyperparameter_search_spaces")
    result = sync(contract, own_databases[_SOURCE_URL], own_databases["RUNMART_WAREHOUSE_URL"])
    (standing,) = result.standing
    assert standing.reason == (
        'the source forecast_tracking, table hyperparameter_search_spaces: relation "public.hyperparameter_search_spaces" does not exist; '
        "it was dropped or renamed: restore it or take it out of the contract"
    )
    tables = "select relname from pg_class where relnamespace = 'raw_forecast_tracking'::regnamespace and relkind = 'r'"
    synced = rows(own_databases["RUNMART_WAREHOUSE_URL"], tables)
    assert {table for (table,) in synced} == contract.tables.keys() - {"hyperparameter_search_spaces"}


def test_source_and_warehouse_that_are_too_old(runmart: Run, own_databases: dict[str, str]) -> None:
    with old_server("13.14") as url:
        line = runmart("sync", **{**own_databases, _SOURCE_URL: url}).line
        assert line == "error: the source forecast_tracking runs PostgreSQL 13.14; 14 is the oldest that works"
        line = runmart("migrate", RUNMART_WAREHOUSE_URL=url).line
        assert line == "error: the database warehouse runs PostgreSQL 13.14; 14 is the oldest that works"
    assert_nothing_written(own_databases)


def test_warehouse_that_was_never_migrated(runmart: Run, new_database: Callable[[str], str]) -> None:
    empty = new_database("empty")
    line = runmart("status", RUNMART_WAREHOUSE_URL=empty).line
    assert line.startswith("error: the warehouse: ")
    assert line.endswith("; bring it to the newest revision: runmart migrate")


def test_warehouse_of_a_later_version(runmart: Run, own_databases: dict[str, str]) -> None:
    rows(own_databases["RUNMART_WAREHOUSE_URL"], "update alembic_version set version_num = '9999'")
    line = runmart("migrate", **own_databases).line
    assert line.startswith("error: the database warehouse: Can't locate revision identified by '9999'")


CONTRACT_MISTAKES = {
    "syntax": ("key: [experiment_id]", "key: [experiment_id", "not valid YAML"),
    "unknown field": ("key: [experiment_id]", "kee: [experiment_id]", "kee"),
    "unknown table": (
        "{experiment_id: experiments.experiment_id,",
        "{experiment_id: trials.experiment_id,",
        "table 'trials' is not declared",
    ),
    "duplicate column": ("columns: [experiment_id,", "columns: [experiment_id, experiment_id,", "'experiment_id' is listed twice"),
}


@pytest.mark.parametrize("mistake", CONTRACT_MISTAKES)
@pytest.mark.parametrize("command", ["refresh", "up"])
def test_invalid_contract(runmart: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, command: str) -> None:
    old, new, message = CONTRACT_MISTAKES[mistake]
    good = (SOURCES_ROOT / "forecast_tracking" / "defs.yaml").read_text(encoding="utf-8")
    path = tmp_path / "sources" / "forecast_tracking" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(good.replace(old, new, 1), encoding="utf-8")
    monkeypatch.setattr(load_contracts, "__defaults__", (path.parent.parent,))
    outcome = runmart(command)
    # Besides the mistake itself the missing right spelling may be reported: one line each, all with file and line.
    told = outcome.err.removeprefix("error: ").splitlines()
    number = good[: good.index(old)].count("\n") + 1 + (mistake == "syntax")
    assert outcome.code == 1
    assert [line for line in told if line.startswith(f"{path}:{number}: ") and message in line], outcome.err
    assert all(line.startswith(f"{path}:") for line in told if line != "stopped")
    assert not (home / "postgres").exists()


def test_busy_port_starts_nothing_and_stops_nothing(runmart: Run, home: Path) -> None:
    embedded = EmbeddedServer(home / "postgres", {"fsync": "off"})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = runmart("up", "--port", str(port)).line
        assert line == f"error: port {port} is in use; stop what listens there or choose another one: runmart up --port {port + 1}"
        assert not embedded.folder.exists()
        embedded.start()
        assert runmart("up", "--port", str(port)).code == 1
        assert embedded.is_running(), "it serves another command"


def test_second_up_on_the_same_home(home: Path) -> None:
    """A lock holds between processes only, so the second one is a process of its own."""
    with claimed(home, free_port()):
        command = [str(Path(sys.executable).parent / "runmart"), "up", "--port", str(free_port())]
        environment = {**os.environ, "RUNMART_HOME": str(home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    line = Outcome(done.returncode, done.stdout, done.stderr).line
    assert line == f"error: `runmart up` runs already on {home}; stop that one first, or set RUNMART_HOME to another folder"
    assert not (home / "postgres").exists()


@pytest.mark.parametrize("arguments", [("sync", "nothing"), ("migrate", "nothing"), ("source", "status", "nothing")])
def test_unknown_system(runmart: Run, home: Path, arguments: tuple[str, ...]) -> None:
    line = runmart(*arguments).line
    assert line == f"error: there is no system 'nothing'; there are: {', '.join(shared_contracts())}"
    assert not home.exists()


def test_unknown_database(runmart: Run, home: Path) -> None:
    line = runmart("url", "nothing").line
    assert line == f"error: there is no database 'nothing'; there are: warehouse, analyst, {', '.join(shared_contracts())}"
    assert runmart("url", "warehous").line == "error: there is no database 'warehous'; did you mean warehouse?"
    assert not home.exists()


@pytest.mark.parametrize("variable", ["RUNMART_WAREHOUSE_URL", "RUNMART_DAGSTER_URL", _SOURCE_URL])
def test_wrong_scheme(runmart: Run, home: Path, variable: str) -> None:
    line = runmart("sync", **{variable: "mysql://user:secret@host/db"}).line
    assert line.startswith(f"error: {variable} must be a PostgreSQL URL such as postgresql://")
    assert "secret" not in line
    assert not home.exists()


@pytest.mark.parametrize("command", ["status", "up", "url warehouse"])
def test_home_that_is_a_file(runmart: Run, home: Path, command: str) -> None:
    home.write_text("in the way", encoding="utf-8")
    assert str(home) in runmart(*command.split()).line
    assert home.read_text(encoding="utf-8") == "in the way"


FILES = {
    "columns missing": ("a,b\n1,2\n", "the columns unique_id, ds, cutoff are missing; found a, b"),
    "no model": ("unique_id,ds,cutoff,y\nA,2020-01-02,2020-01-01,1\n", "there is no column with forecasts"),
    "no rows": ("unique_id,ds,cutoff,y,Naive\n", "the file has columns but no rows"),
    "empty": ("", ""),
    "no date": ("unique_id,ds,cutoff,y,Naive\nA,soon,2020-01-01,1,1\n", "soon"),
    "a month": ("unique_id,ds,cutoff,y,Naive\nA,202402,202401,1,1\n", "write dates as 2024-02-01"),
    "a NUL": ("unique_id,ds,cutoff,y,Naive\nA\0B,2020-01-02,2020-01-01,1,1\n", "line 2 holds a NUL character, in 'A\\x00B'"),
    "nobody said": ("unique_id,ds,cutoff,price,Naive\nA,2020-01-02,2020-01-01,1,1\n", "add --models Naive to leave it, or --models"),
}


@pytest.mark.parametrize("case", FILES)
def test_import_file_that_is_no_backtest(runmart: Run, own_databases: dict[str, str], tmp_path: Path, case: str) -> None:
    content, message = FILES[case]
    file = tmp_path / "backtest.csv"
    file.write_text(content, encoding="utf-8")
    line = runmart("import", str(file), "--experiment", "mine", **own_databases).line
    assert line.startswith(f"error: {file}: ")
    assert message in line
    assert rows(own_databases[_SOURCE_URL], "select count(*) from experiments") == [(0,)]


def test_disk_that_is_full_at_the_first_start(runmart: Run, home: Path) -> None:
    """Nothing is left that breaks a later start, once there is space."""
    with small_disk(home, 20):
        line = runmart("migrate").line
        assert line.startswith(f"error: the embedded PostgreSQL under {home / 'postgres'} did not start: ")
        assert "no space left" in line.lower()
        assert [path.name for path in home.iterdir() if path.is_dir()] == []
        resize(home, 500)
        assert runmart("migrate").code == 0


def test_disk_that_is_full_at_a_later_start(runmart: Run, home: Path) -> None:
    with small_disk(home, 300):
        embedded = EmbeddedServer(home / "postgres", {"shared_buffers": "'16MB'"})
        embedded.start()
        embedded.ensure_database("warehouse")
        embedded.stop()
        fill_up(home / "filler", leave=0)
        line = runmart("url", "warehouse").line
        assert line.startswith(f"error: the embedded PostgreSQL under {embedded.folder} did not start: ")
        assert "no space left" in line.lower()
        (home / "filler").unlink()
        assert runmart("url", "warehouse").code == 0


def test_disk_that_fills_up_during_a_sync(new_database: Callable[[str], str], tmp_path: Path) -> None:
    source = new_database("empty")
    rows(source, "create table parent as select n as parent_id, 'parent'::varchar(40) as name from generate_series(1, 5::bigint) as n")
    parent = CONTRACT.tables["parent"].model_copy(update={"columns": ("parent_id", "name")})
    contract = CONTRACT.model_copy(update={"tables": {"parent": parent}})
    folder = tmp_path / "disk"
    with small_disk(folder, 300):
        embedded = EmbeddedServer(folder / "postgres", {"shared_buffers": "'16MB'", "max_wal_size": "'32MB'", "min_wal_size": "'32MB'"})
        embedded.start()
        try:
            embedded.ensure_database("warehouse")
            upgrade("warehouse", embedded.url("warehouse"))
            here = Pair(source, embedded.url("warehouse"))
            here.sync(contract)
            state = "select row(s)::text, (select count(*) from ops.batches) from ops.sync_state as s"
            before = here.in_warehouse(state), here.in_warehouse("select p::text from raw_small.parent as p")
            here.at_source("insert into parent select n, repeat('x', 40) from generate_series(100, 100000) as n")
            fill_up(folder / "filler", leave=2 * 2**20)
            with pytest.raises(SyncError) as caught:
                here.sync(contract)
            assert str(caught.value).startswith("the warehouse: could not ")
            assert str(caught.value).endswith(": No space left on device; nothing was written: free disk space and repeat")
            assert (here.in_warehouse(state), here.in_warehouse("select p::text from raw_small.parent as p")) == before
            (folder / "filler").unlink()
            here.sync(contract)
            here.assert_equal(contract)
        finally:
            embedded.stop()


def fill_up(file: Path, leave: int) -> None:
    """Take all space of the file's disk but a little."""
    disk = os.statvfs(file.parent)
    with file.open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, disk.f_bavail * disk.f_frsize - leave)
