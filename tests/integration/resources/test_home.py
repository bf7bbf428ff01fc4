"""The folder of a home is its owner's alone, and the embedded server in it works all the same."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.home import close_to_others
from dagster_project.settings import ConfigurationError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as versions before have left it: open to all, as the folders above it are."""
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o055)
    (tmp_path / "home" / "data_docs" / "pages").mkdir(parents=True)
    (tmp_path / "home" / "data_docs" / "pages" / "index.html").write_text("rows", encoding="utf-8")
    (tmp_path / "outside").write_text("somebody else's", encoding="utf-8")
    (tmp_path / "home" / "link").symlink_to(tmp_path / "outside")
    return tmp_path / "home"


def open_to_others(home: Path) -> set[str]:
    """What lies in a home and gives others any right; sockets and the like lie in folders that do not."""
    return {
        str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o077
    }


def test_open_home_is_closed_with_all_that_lies_in_it(home: Path) -> None:
    assert open_to_others(home) == {"data_docs/pages/index.html"}
    close_to_others(home)
    assert open_to_others(home) == set()
    assert home.stat().st_mode & 0o067 == 0
    assert (home.parent / "outside").stat().st_mode & 0o777 == 0o644
    (home / "written later").write_text("rows", encoding="utf-8")
    assert open_to_others(home) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as somebody else")
def test_somebody_else_reads_nothing(home: Path) -> None:
    page = home / "data_docs" / "pages" / "index.html"

    def read(path: Path) -> str:
        command = ["cat" if path.is_file() else "ls", str(path)]
        return subprocess.run(command, user="nobody", group="nogroup", extra_groups=[], capture_output=True, text=True, check=False).stdout

    assert read(page) == "rows"
    close_to_others(home)
    assert [read(path) for path in (page, home / "data_docs", home)] == ["", "", ""]


def test_server_works_in_a_home_that_is_closed_before_and_while_it_runs(home: Path) -> None:
    home.chmod(0o700)
    server = EmbeddedServer(home / "postgres", {"fsync": "off", "shared_buffers": "'16MB'"})
    server.start()
    try:
        for mode in (None, 0o755):
            if mode:
                home.chmod(mode)
            close_to_others(home)
            with closing(psycopg2.connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
                # This reads a file by its whole path.
                cursor.execute("select checkpoint_lsn is not null from pg_control_checkpoint()")
                assert cursor.fetchall() == [(True,)]
            assert home.stat().st_mode & 0o067 == 0
    finally:
        server.stop()


@pytest.mark.parametrize("folder", ["home of the user", "shared"])
def test_folder_that_is_there_for_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home of the user"))
    (tmp_path / folder).mkdir(mode=0o755)
    if folder == "shared":
        (tmp_path / folder).chmod(0o1777)
    before = (tmp_path / folder).stat().st_mode
    with pytest.raises(ConfigurationError, match="RUNMART_HOME must be a folder of its own"):
        close_to_others(tmp_path / folder)
    assert (tmp_path / folder).stat().st_mode == before
