"""Where a path leads, and that nothing outside the folder of its tenant is opened, whatever the path is and wherever links lead."""

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from fsspec import filesystem
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dagster_project.quality.storage import Problem, RecordedFile, Storage, StorageError, parts_below
from tests.storages import Watched, watch

PREFIX = "storage/acme/"

# Parts that mean something to somebody on the way, and names that there are.
_HOSTILE_PARTS = (
    *("", ".", "..", "...", "~", "storage", "acme", "globex", "secret", "file:", "file://", "s3:", "C:", "\\", "..\\", "%2e%2e", "..%2f"),
    *("out", "up", "deep", "circle", "in", "ok", "*", "?versionId=1", "a::b", "x\0", "\N{FULLWIDTH FULL STOP}" * 2, "\n", "etc", "passwd"),
)
_HOSTILE = st.lists(st.sampled_from(_HOSTILE_PARTS) | st.text(max_size=3), max_size=8).map("/".join)
PATHS = st.one_of(_HOSTILE, _HOSTILE.map(PREFIX.__add__), st.text(), st.text().map(PREFIX.__add__))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage of two tenants; in the folder of one there are links to all places."""
    root = tmp_path / "files"
    for name in ("acme/ok", "acme/deep/ok", "globex/secret"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    (root / "acme-too").mkdir()
    (root / "acme-too" / "secret").write_bytes(b"x")
    links = {
        "out": "../globex",
        "up": "../../secret",
        "circle": "circle",
        "in": "deep",
        "beside": "../acme-too",
        "nowhere": "../globex/none",
    }
    for name, target in links.items():
        (root / "acme" / name).symlink_to(target)
    return root


@pytest.fixture
def storage(root: Path) -> Storage:
    return Storage.at(root.as_uri())


def said_of(content: bytes, path: str = "storage/acme/ok") -> RecordedFile:
    return RecordedFile(path, hashlib.sha256(content).hexdigest(), len(content))


def problem(storage: Storage, path: str) -> Problem | None:
    return storage.problem(said_of(b"x", path), PREFIX)


@given(path=PATHS)
@example(path="storage/acme/../globex/secret")
@example(path="/storage/acme/ok")
@example(path="storage/acme/")
@example(path="storage/acme")
@example(path="storage/acme-too/secret")
def test_parts_are_below_the_prefix_or_there_are_none(path: str) -> None:
    parts = parts_below(path, PREFIX)
    if parts is None:
        return
    assert parts[0] == "acme"
    assert len(parts) > 1
    assert "/".join(("storage", *parts)) == path
    assert os.path.normpath(path) == path


@given(path=PATHS)
@example(path="storage/acme/out/secret")
@example(path="storage/acme/up")
@example(path="storage/acme/beside/secret")
@example(path="storage/acme/in/ok")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_nothing_outside_the_folder_of_the_tenant_is_opened_or_looked_at(root: Path, path: str) -> None:
    storage = Storage.at(root.as_uri())
    watched = watch(storage)
    problem(storage, path)
    for name in (*watched.looked_at, *watched.opened):
        assert Path(os.path.realpath(name)).is_relative_to(os.path.realpath(root / "acme"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("storage/acme/ok", None),
        ("storage/acme/deep/ok", None),
        ("storage/acme/in/ok", None),
        ("storage/acme/none", Problem.MISSING),
        ("storage/acme/deep", Problem.MISSING),
        ("storage/acme/ok/ok", Problem.MISSING),
        ("storage/acme/circle", Problem.MISSING),
        (f"storage/acme/{'long' * 64}", Problem.MISSING),
        (f"storage/acme{'/long' * 250}", Problem.MISSING),
        ("storage/acme/ok?versionId=1", Problem.MISSING),
        ("storage/acme/~", Problem.MISSING),
        ("storage/globex/secret", Problem.PLACE),
        ("storage/acme/../globex/secret", Problem.PLACE),
        ("storage/acme/./ok", Problem.PLACE),
        ("storage/acme//ok", Problem.PLACE),
        ("storage/acme/ok/", Problem.PLACE),
        ("storage/acme/", Problem.PLACE),
        ("storage/acme", Problem.PLACE),
        ("storage/acme-too/secret", Problem.PLACE),
        ("Storage/acme/ok", Problem.PLACE),
        ("acme/ok", Problem.PLACE),
        ("/storage/acme/ok", Problem.PLACE),
        ("file:///etc/passwd", Problem.PLACE),
        ("storage/acme/ok\0", Problem.PLACE),
        ("", Problem.PLACE),
        ("storage/acme/out/secret", Problem.PLACE),
        ("storage/acme/out/none", Problem.PLACE),
        ("storage/acme/up", Problem.PLACE),
        ("storage/acme/beside/secret", Problem.PLACE),
        ("storage/acme/nowhere", Problem.PLACE),
    ],
)
def test_where_a_path_leads(storage: Storage, path: str, expected: Problem | None) -> None:
    assert problem(storage, path) == expected


def test_a_name_that_s3_cannot_have_is_not_asked_for(storage: Storage) -> None:
    """S3 answers that with an error, which would keep all files of a tenant from being read."""
    watched = watch(storage)
    assert problem(storage, f"storage/acme{'/long' * 250}") is Problem.MISSING
    assert watched.looked_at == []


def test_folder_of_a_tenant_that_is_a_link_to_that_of_another_is_not_its_own(root: Path, storage: Storage) -> None:
    (root / "mimic").symlink_to("globex")
    assert storage.problem(said_of(b"x", "storage/mimic/secret"), "storage/mimic/") is Problem.PLACE


def test_the_storage_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    storage = Storage.at((tmp_path / "link").as_uri())
    storage.reach()
    assert problem(storage, "storage/acme/ok") is None


def test_without_tenants_all_of_the_storage_is_the_place(storage: Storage) -> None:
    assert storage.problem(said_of(b"x", "storage/globex/secret"), "storage/") is None
    assert storage.problem(said_of(b"x", "storage/acme/up"), "storage/") is Problem.PLACE


@pytest.mark.parametrize(
    ("said", "expected", "is_opened"),
    [
        (said_of(b"x"), None, True),
        (said_of(b"y"), Problem.DIGEST, True),
        (said_of(b"xy"), Problem.SIZE, False),
        (RecordedFile("storage/acme/ok", said_of(b"x").digest, 0), Problem.SIZE, False),
        (RecordedFile("storage/acme/ok", "not in hexadecimal digits", 1), Problem.DIGEST, True),
        (RecordedFile("storage/acme/ok", None, 1), None, False),
        (RecordedFile("storage/acme/ok", None, 2), Problem.SIZE, False),
        (RecordedFile("storage/acme/ok", said_of(b"x").digest, None), None, True),
        (RecordedFile("storage/acme/ok", None, None), None, False),
    ],
)
def test_what_a_row_says_is_compared_and_nothing_is_read_for_no_reason(
    storage: Storage, said: RecordedFile, expected: Problem | None, is_opened: bool
) -> None:
    watched = watch(storage)
    assert storage.problem(said, PREFIX) == expected
    assert bool(watched.opened) == is_opened


def test_a_pipe_is_no_file_and_nobody_waits_for_it(root: Path, storage: Storage) -> None:
    os.mkfifo(root / "acme" / "pipe")
    assert problem(storage, "storage/acme/pipe") is Problem.MISSING


def test_a_file_that_grows_while_it_is_read_is_not_read_for_ever(root: Path, storage: Storage) -> None:
    path = root / "acme" / "grows"
    path.write_bytes(b"x" * 1_000_000)

    class Growing(Watched):
        def open(self, name: str, *arguments: object, **options: object) -> object:  # type: ignore[override]
            stream = super().open(name, *arguments, **options)
            read = stream.read

            def growing_read(size: int = -1) -> bytes:
                with path.open("ab") as more:
                    more.write(b"x" * 1_000_000)
                return read(size)

            stream.read = growing_read  # type: ignore[method-assign]
            return stream

    storage._files = Growing(filesystem("file"))
    assert storage.problem(said_of(b"x" * 1_000_000, "storage/acme/grows"), PREFIX) is Problem.SIZE


def test_a_large_file_is_never_whole_in_memory(root: Path, storage: Storage) -> None:
    content = b"0123456789" * 2_000_000
    (root / "acme" / "large").write_bytes(content)
    said = said_of(content, "storage/acme/large")
    del content
    tracemalloc.start()
    try:
        assert storage.problem(said, PREFIX) is None
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_a_folder_that_is_not_there_is_no_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for name in ("none", "file"):
        with pytest.raises(StorageError, match=f"there is no folder {tmp_path}/{name}; RUNMART_STORAGE_URL says where the storage is"):
            Storage.at((tmp_path / name).as_uri()).reach()


def test_what_cannot_be_read_is_an_error_and_not_a_finding(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("for user:secret")

    monkeypatch.setattr(storage, "_files", Watched(filesystem("file")))
    monkeypatch.setattr(storage._files, "open", refuse)
    with pytest.raises(StorageError) as caught:
        problem(storage, "storage/acme/ok")
    assert str(caught.value) == "the file 'storage/acme/ok' of the storage cannot be read: PermissionError"
    assert caught.value.__suppress_context__
