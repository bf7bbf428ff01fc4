"""What was done in a checkout, as sessions of work: read from its Git history, or, in an archive without one, from its files.

Belongs here: asking Git, and telling sessions apart. Does not belong here: the database (`coding_client`).

A session is what one author has committed without a pause of more than two hours. Authors are hashes: neither a name nor an address leaves
this module. Of the history only the newest commits are read in full. A session that began before them has its true beginning, and of its
commits those that were read.
"""

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

LONGEST_PAUSE = timedelta(hours=2)
NEWEST_COMMITS = 400

_OPERATIONS = {"A": "create", "D": "delete"}
_NOT_WORK = {"__pycache__", "logs", "target"}


@dataclass(frozen=True)
class Change:
    """What happened to one file.

    Attributes:
        at: When.
        operation: `create`, `update` or `delete`.
        path: The file, from the root of the checkout.
        content_hash: Git's or SHA-256 hash of the content after it; None if the file is gone.
        size_bytes: Size after it; None if the file is gone.
        line_count: Lines after it, where known.
        is_binary: Whether the file is not text.
    """

    at: datetime
    operation: str
    path: str
    content_hash: str | None
    size_bytes: int | None
    line_count: int | None
    is_binary: bool


@dataclass(frozen=True)
class Commit:
    """A commit, with what it changed in all."""

    commit_hash: str
    at: datetime
    is_merge: bool
    lines_added: int
    lines_deleted: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Work:
    """A session: what one author did without a long pause, or the files of one folder."""

    author: str
    name: str
    started_at: datetime
    ended_at: datetime
    changes: tuple[Change, ...]
    commits: tuple[Commit, ...] = ()


@dataclass(frozen=True)
class History:
    """The sessions of a checkout, oldest first.

    Attributes:
        branch: The branch that is checked out.
        commit_count: All commits, those that are not read in full among them.
        sessions: The sessions.
    """

    branch: str
    commit_count: int
    sessions: tuple[Work, ...]


@dataclass(frozen=True)
class _Entry:
    commit_hash: str
    author: str
    at: datetime
    is_merge: bool
    subject: str


@dataclass
class _Found:
    """What Git says of one commit while its lines are read."""

    operations: dict[str, tuple[str, str]] = field(default_factory=dict)
    lines: dict[str, tuple[int, int] | None] = field(default_factory=dict)


def read_history(root: Path) -> History:
    """The history of the checkout at `root`; that of its files if Git knows none of it, or is not there."""
    try:
        # A checkout without a history of its own may lie within another one's.
        is_own = Path(_git(root, "rev-parse", "--show-toplevel").strip()).samefile(root)
        return _of_commits(root) if is_own else _of_files(root)
    except (OSError, subprocess.CalledProcessError):
        return _of_files(root)


def _git(root: Path, *arguments: str, told: str | None = None) -> str:
    command = ["git", "-C", str(root), "-c", "core.quotepath=off", "-c", "log.showSignature=false", *arguments]
    done = subprocess.run(command, input=told, capture_output=True, text=True, encoding="utf-8", errors="replace", check=True)
    return done.stdout


def _hashed(author: str) -> str:
    return f"author_{hashlib.sha256(author.strip().lower().encode()).hexdigest()[:12]}"


def _of_commits(root: Path) -> History:
    entries = list(_entries(root))
    found = _newest(root)
    sizes = _sizes(root, found.values())
    by_author = sorted(entries, key=lambda entry: (entry.author, entry.at))
    groups = [part for _, group in groupby(by_author, key=lambda entry: entry.author) for part in _without_pause(list(group))]
    sessions = [_session(group, found, sizes) for group in groups if any(entry.commit_hash in found for entry in group)]
    branch = _git(root, "rev-parse", "--abbrev-ref", "HEAD").strip()
    return History(branch, len(entries), tuple(sorted(sessions, key=lambda session: (session.started_at, session.author))))


def _entries(root: Path) -> Iterator[_Entry]:
    """Every commit, oldest first."""
    for line in _git(root, "log", "--reverse", "--format=%H%x09%ae%x09%at%x09%p%x09%s").removesuffix("\n").split("\n"):
        commit_hash, address, seconds, parents, subject = line.split("\t", 4)
        yield _Entry(commit_hash, _hashed(address), datetime.fromtimestamp(int(seconds), UTC), " " in parents, subject)


def _newest(root: Path) -> dict[str, _Found]:
    """What the newest commits changed. Records end in NUL; a mark stands before each hash, since anything else may be a path."""
    options = ["--raw", "--numstat", "--no-renames", "--no-abbrev", "--no-color", "-z", "--format=%x01%H"]
    found: dict[str, _Found] = {}
    current = _Found()
    records = iter(_git(root, "log", f"--max-count={NEWEST_COMMITS}", *options).split("\0"))
    for record in map(str.lstrip, records):
        if record.startswith("\1"):
            current = found.setdefault(record[1:], _Found())
        elif record.startswith(":"):
            *_, content_hash, letter = record.split(" ")
            current.operations[next(records)] = (_OPERATIONS.get(letter, "update"), content_hash)
        elif record:
            added, deleted, path = record.split("\t", 2)
            current.lines[path] = None if added == "-" else (int(added), int(deleted))
    return found


def _sizes(root: Path, found: Iterable[_Found]) -> dict[str, int]:
    """Size of each content, by its hash; one that Git does not have, that of a submodule among them, is not there."""
    hashes = sorted({content_hash for each in found for _, content_hash in each.operations.values()})
    lines = _git(root, "cat-file", "--batch-check=%(objectname) %(objectsize)", told="".join(f"{one}\n" for one in hashes)).splitlines()
    return {name: int(size) for name, size in (line.split(" ", 1) for line in lines) if size.isdecimal()}


def _without_pause(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Commits of one author in the order of their times, apart where a pause is too long."""
    session = [entries[0]]
    for entry in entries[1:]:
        if entry.at - session[-1].at > LONGEST_PAUSE:
            yield session
            session = []
        session.append(entry)
    yield session


def _commit(entry: _Entry, found: _Found, sizes: Mapping[str, int]) -> Commit:
    counted = [lines for lines in found.lines.values() if lines]
    return Commit(
        commit_hash=entry.commit_hash,
        at=entry.at,
        is_merge=entry.is_merge,
        lines_added=sum(added for added, _ in counted),
        lines_deleted=sum(deleted for _, deleted in counted),
        changes=tuple(_change(entry.at, path, found, sizes) for path in found.operations),
    )


def _change(at: datetime, path: str, found: _Found, sizes: Mapping[str, int]) -> Change:
    operation, content_hash = found.operations[path]
    lines = found.lines.get(path)
    return Change(
        at=at,
        operation=operation,
        path=path,
        content_hash=None if operation == "delete" else content_hash,
        size_bytes=None if operation == "delete" else sizes.get(content_hash),
        line_count=lines[0] if operation == "create" and lines else None,
        is_binary=path in found.lines and lines is None,
    )


def _session(entries: Sequence[_Entry], found: Mapping[str, _Found], sizes: Mapping[str, int]) -> Work:
    commits = tuple(_commit(entry, found[entry.commit_hash], sizes) for entry in entries if entry.commit_hash in found)
    changes = tuple(change for commit in commits for change in commit.changes)
    return Work(entries[0].author, entries[0].subject, entries[0].at, entries[-1].at, changes, commits)


def _of_files(root: Path) -> History:
    """One session per folder, of what is in it now; nobody knows who made it."""
    files = sorted(path for path in root.rglob("*") if _is_work(path.relative_to(root)) and path.is_file())
    folders: dict[str, list[Change]] = {}
    for path in files:
        folders.setdefault("." if path.parent == root else path.relative_to(root).parts[0], []).append(_found_file(root, path))
    author = _hashed("unknown")
    sessions = [
        Work(author, folder, min(change.at for change in changes), max(change.at for change in changes), tuple(changes))
        for folder, changes in folders.items()
    ]
    return History("main", 0, tuple(sorted(sessions, key=lambda session: (session.started_at, session.name))))


def _is_work(path: Path) -> bool:
    return not any(part.startswith(".") or part in _NOT_WORK for part in path.parts)


def _found_file(root: Path, path: Path) -> Change:
    content = path.read_bytes()
    is_binary = b"\0" in content
    return Change(
        at=datetime.fromtimestamp(int(path.stat().st_mtime), UTC),
        operation="create",
        path=path.relative_to(root).as_posix(),
        content_hash=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        line_count=None if is_binary else len(content.splitlines()),
        is_binary=is_binary,
    )
