"""Source servers of other versions than the one that everything else runs on.

Belongs here: starting a PostgreSQL of a version for one test module. 16 comes in the same wheel as 18; others are used where the machine
has them, as Debian's packages put them.
"""

import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from dagster_project.resources.embedded import EmbeddedServer

_INSTALLED = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("*/bin") if re.fullmatch(r"\d+", path.parent.name)}

VERSIONS = sorted({16, *_INSTALLED})

_SETTINGS = {"fsync": "off", "wal_level": "logical", "shared_buffers": "'16MB'"}


@contextmanager
def running(version: int, folder: Path) -> Iterator[str]:
    """A fresh server of a major version; gives the URL of its database `postgres`."""
    if version == 16:
        server = EmbeddedServer(folder, _SETTINGS, version=16)
        server.start()
        try:
            yield server.url("postgres")
        finally:
            server.stop()
        return
    binaries = _INSTALLED[version]
    # The server refuses to run as root; Debian's package makes this user.
    user = pwd.getpwnam("postgres").pw_name
    folder.mkdir(parents=True)
    for path in (folder, *list(folder.parents)[:-2]):
        path.chmod(0o755)
    shutil.chown(folder, user)
    data = folder / "data"

    def execute(*command: str) -> None:
        subprocess.run([str(binaries / command[0]), *command[1:]], check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)

    execute("initdb", "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "-U", "postgres", "-D", str(data))
    options = " ".join(f"-c {name}={value.strip(chr(39))}" for name, value in _SETTINGS.items())
    execute("pg_ctl", "-w", "-D", str(data), "-o", f"-h '' -k {folder} {options}", "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"
    finally:
        execute("pg_ctl", "-w", "-D", str(data), "-m", "immediate", "stop")
