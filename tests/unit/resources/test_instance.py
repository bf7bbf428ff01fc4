"""Dagster's configuration comes to its home whole: another command may read it at any moment."""

from pathlib import Path

from dagster_project.resources.instance import _configure
from dagster_project.settings import PROJECT_ROOT

WANTED = (PROJECT_ROOT / "dagster.yaml").read_bytes()


def test_configuration_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    _configure(tmp_path)
    before = (tmp_path / "dagster.yaml").stat()
    _configure(tmp_path)
    after = (tmp_path / "dagster.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (tmp_path / "dagster.yaml").read_bytes() == WANTED


def test_another_configuration_is_replaced_at_once(tmp_path: Path) -> None:
    there = tmp_path / "dagster.yaml"
    there.write_text("telemetry: {enabled: true}\n", encoding="utf-8")
    with there.open("rb") as reader:
        _configure(tmp_path)
        # Who has opened the old one reads all of it.
        assert reader.read() == b"telemetry: {enabled: true}\n"
    assert there.read_bytes() == WANTED
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]
