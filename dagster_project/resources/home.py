"""The folder of a home: logs, Data Docs with rows in them, the data of the embedded server.

Belongs here: that nobody but its owner may read it. Does not belong here: what lies in it.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dagster_project.settings import ConfigurationError

_OTHERS = 0o077

# Root's server runs as a user of its own in root's group, which goes through the home to its data (`resources.embedded`).
_OTHERS_BUT_THE_SERVER = 0o067


def close_to_others(home: Path) -> None:
    """Let what this process writes from now on be read by its owner alone, and a home that is open to others, with all that lies in it.

    Raises:
        ConfigurationError: The folder is there for more than Runmart.
    """
    os.umask(_OTHERS)
    others = _OTHERS_BUT_THE_SERVER if os.geteuid() == 0 else _OTHERS
    if home.is_dir() and home.stat().st_mode & others:
        if home == Path.home() or home.stat().st_mode & stat.S_ISVTX:
            raise ConfigurationError(f"RUNMART_HOME must be a folder of its own, which others then cannot read, not {home}")
        # The home comes last: who is interrupted begins again.
        for path in _inside(home):
            with suppress(FileNotFoundError):
                path.chmod(path.stat().st_mode & ~_OTHERS)
        if os.geteuid() == 0:
            os.chown(home, -1, os.getegid())
        home.chmod(home.stat().st_mode & ~others)


def _inside(home: Path) -> Iterator[Path]:
    """Files and folders of a home; the data folder of the server is closed by the server itself."""
    return (path for path in home.rglob("*") if not path.is_symlink() and path.relative_to(home).parts[0] != "postgres")
