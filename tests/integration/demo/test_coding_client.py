"""The demo's coding client database holds what Git says of a checkout, and what a receiver of notifications has seen."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from dagster_project.demo.coding_client import FillSummary, fill
from dagster_project.settings import PROJECT_ROOT

ADA, LUIGI = ("Ada Lovelace", "lovelace@example.org"), ("Luigi Menabrea", "menabrea@example.org")
TABLES = (
    "users",
    "projects",
    "worktrees",
    "worktree_sync_history",
    "sessions",
    "notification_settings",
    "notification_history",
    "file_operations",
    "system_logs",
)


class Checkout:
    """A Git repository whose commits have the times that a test says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=trunk")

    def git(self, *arguments: str, **environment: str) -> str:
        """Run Git without the settings of this machine."""
        variables = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **environment}
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.root, env=variables, capture_output=True, text=True, check=True).stdout

    def commit(self, author: tuple[str, str], time: str, subject: str) -> None:
        """Commit everything as it is."""
        who = {
            f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in zip(("NAME", "EMAIL"), author, strict=True)
        }
        at = f"2025-03-01T{time}+00:00"
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject, GIT_AUTHOR_DATE=at, GIT_COMMITTER_DATE=at, **who)

    def write(self, path: str, content: bytes) -> None:
        """Write a file and its folder."""
        (self.root / path).parent.mkdir(exist_ok=True)
        (self.root / path).write_bytes(content)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Three sessions of two authors: the second one of Ada begins a minute more than two hours after her first ended."""
    checkout = Checkout(tmp_path / "checkout")
    checkout.write("engine.py", b"one\ntwo\n")
    checkout.write("data/cards.bin", b"\0\1\2")
    checkout.commit(ADA, "08:00:00", "Begin")
    checkout.write("grün notes.md", b"drei\n")
    checkout.commit(LUIGI, "09:00:00", "Notes\x0c and more")
    checkout.write("engine.py", b"one\nthree\nfour\n")
    checkout.commit(ADA, "10:00:00", "Go on")
    (checkout.root / "data/cards.bin").unlink()
    checkout.commit(ADA, "12:01:00", "Clear up")
    return checkout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def url(new_database: Callable[[str], str]) -> str:
    return new_database("coding_client")


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall()
    connection.close()
    return found


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(url, f"select * from {table} order by id") for table in TABLES}


def quietly(url: str, home: Path, root: Path) -> FillSummary:
    return fill(url, home, lambda _: None, root)


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2025-03-01T{time}").replace(tzinfo=UTC)


def test_sessions_are_commits_of_one_author_with_pauses_of_two_hours_at_most(url: str, home: Path, checkout: Checkout) -> None:
    assert quietly(url, home, checkout.root) == FillSummary(users=2, sessions=3, file_operations=5, synchronisations=4, notifications=8)
    sessions = rows(url, "select name, status, created_at, last_accessed, updated_at from sessions order by created_at")
    assert sessions == [
        ("Begin", "stopped", at("08:00"), at("10:00"), at("10:00")),
        ("Notes\x0c and more", "stopped", at("09:00"), at("09:00"), at("09:00")),
        ("Clear up", "stopped", at("12:01"), at("12:01"), at("12:01")),
    ]
    project = "select name, default_branch, tech_stack, total_sessions, total_worktrees, total_commits, last_activity from projects"
    assert rows(url, project) == [("runmart", "trunk", ["markdown", "python"], 3, 3, 4, at("12:01"))]


def test_file_operations_are_those_of_the_commits(url: str, home: Path, checkout: Checkout) -> None:
    quietly(url, home, checkout.root)
    hashes = {path: checkout.git("hash-object", path).strip() for path in ("engine.py", "grün notes.md")}
    first = checkout.git("rev-parse", "HEAD~3:engine.py").strip()
    cards = checkout.git("rev-parse", "HEAD~3:data/cards.bin").strip()
    statement = """
        select operation_type, file_path, content_hash, file_size_bytes, line_count, is_binary, language, created_at from file_operations
        order by created_at, file_path
    """
    assert rows(url, statement) == [
        ("create", "data/cards.bin", cards, 3, None, True, None, at("08:00")),
        ("create", "engine.py", first, 8, 2, False, "python", at("08:00")),
        ("create", "grün notes.md", hashes["grün notes.md"], 5, 1, False, "markdown", at("09:00")),
        ("update", "engine.py", hashes["engine.py"], 15, None, False, "python", at("10:00")),
        ("delete", "data/cards.bin", None, None, None, True, None, at("12:01")),
    ]
    synchronisations = (
        "select files_changed, lines_added, lines_deleted, sync_type, created_at from worktree_sync_history order by created_at"
    )
    assert rows(url, synchronisations) == [
        (2, 2, 0, "push", at("08:00")),
        (1, 1, 0, "push", at("09:00")),
        (1, 2, 1, "push", at("10:00")),
        (1, 0, 0, "push", at("12:01")),
    ]


def test_neither_names_nor_addresses_are_written(url: str, home: Path, checkout: Checkout) -> None:
    quietly(url, home, checkout.root)
    everything = json.dumps([contents(url), (home / "coding_client" / "received.jsonl").read_text()], default=str).lower()
    assert "engine.py" in everything
    assert [word for word in ("lovelace", "luigi", "menabrea", "example.org", str(checkout.root).lower()) if word in everything] == []


def test_a_second_run_changes_nothing_and_a_new_commit_is_added(url: str, home: Path, checkout: Checkout) -> None:
    quietly(url, home, checkout.root)
    before = contents(url)
    assert quietly(url, home, checkout.root) == FillSummary(0, 0, 0, 0, 0)
    assert contents(url) == before
    checkout.write("engine.py", b"five\n")
    checkout.commit(ADA, "13:30:00", "Once more")
    assert quietly(url, home, checkout.root) == FillSummary(users=0, sessions=0, file_operations=1, synchronisations=1, notifications=2)
    after = contents(url)
    assert rows(url, "select last_accessed, updated_at from sessions where name = 'Clear up'") == [(at("13:30"), at("13:30"))]
    assert rows(url, "select total_sessions, total_commits, last_activity from projects") == [(3, 5, at("13:30"))]
    for table in ("users", "notification_history", "file_operations", "system_logs"):
        assert after[table][: len(before[table])] == before[table]


def test_two_machines_write_the_same_but_for_measured_times(new_database: Callable[[str], str], tmp_path: Path, checkout: Checkout) -> None:
    outcome = "select session_id, payload, status, retry_count, response_code, error_message from notification_history order by id"
    written = []
    for name in ("one", "two"):
        url = new_database("coding_client")
        quietly(url, tmp_path / name, checkout.root)
        now = contents(url)
        written.append([now[table] for table in TABLES if table not in ("notification_history", "system_logs", "notification_settings")])
        written[-1].append(rows(url, outcome))
    assert written[0] == written[1]


def test_deliveries_are_those_that_the_receiver_saw(url: str, home: Path) -> None:
    root = home.parent / "many"
    checkout = Checkout(root)
    for number in range(40):
        checkout.write("f.txt", f"{number}\n".encode())
        checkout.commit(ADA, f"08:{number:02}:00", f"Commit {number}")
    assert quietly(url, home, root).notifications == 80
    lines = [json.loads(line) for line in (home / "coding_client" / "received.jsonl").read_text().splitlines()]
    attempts = Counter(line["key"] for line in lines)
    answers = {line["key"]: line["answer"] for line in lines}
    stored = "select payload ->> 'key', service_type, status, retry_count, response_code, scheduled_at, sent_at from notification_history"
    statuses: Counter[tuple[str, bool]] = Counter()
    for key, service, status, retries, code, scheduled_at, sent_at in rows(url, stored):
        assert (retries, code) == (attempts[key] - 1, answers[key])
        assert status == ("sent" if answers[key] == 202 else "failed")
        assert (sent_at > scheduled_at) if status == "sent" else (sent_at is None and retries == 3)
        assert {line["path"] for line in lines if line["key"] == key} == {f"/{service}"}
        statuses[status, bool(retries)] += 1
    assert set(statuses) == {("sent", False), ("sent", True), ("failed", True)}
    levels = dict(rows(url, "select level, count(*) from system_logs group by 1"))
    assert levels == {
        "INFO": sum(answer == 202 for answer in answers.values()),
        "ERROR": sum(answer != 202 for answer in answers.values()),
        "WARN": sum(attempts.values()) - len(attempts),
    }


def test_an_archive_without_a_history_has_a_session_for_each_folder(url: str, home: Path, checkout: Checkout) -> None:
    shutil.rmtree(checkout.root / ".git")
    checkout.write("data/__pycache__/x.pyc", b"")
    checkout.write("data/numbers.json", b"[1]\n")
    checkout.write(".hidden/x", b"")
    for path, seconds in (("engine.py", 1000), ("grün notes.md", 2000), ("data/numbers.json", 3000)):
        os.utime(checkout.root / path, (seconds, seconds))
    assert quietly(url, home, checkout.root) == FillSummary(users=1, sessions=2, file_operations=3, synchronisations=0, notifications=4)
    assert rows(
        url, "select name, extract(epoch from created_at)::int, extract(epoch from last_accessed)::int from sessions order by 2"
    ) == [
        (".", 1000, 2000),
        ("data", 3000, 3000),
    ]
    assert rows(url, "select file_path, file_size_bytes, line_count from file_operations order by created_at") == [
        ("engine.py", 15, 3),
        ("grün notes.md", 5, 1),
        ("data/numbers.json", 4, 1),
    ]
    before = contents(url)
    quietly(url, home, checkout.root)
    assert contents(url) == before


@pytest.mark.skipif(not (PROJECT_ROOT / ".git").exists(), reason="an archive has no history")
def test_this_checkout_is_written_as_git_counts_it(url: str, home: Path) -> None:
    lines: list[str] = []
    fill(url, home, lines.append)
    log = ["git", "-C", str(PROJECT_ROOT), "log", "--max-count=400", "--numstat", "--no-renames", "--reverse", "--format=commit %H"]
    said = subprocess.run(log, capture_output=True, text=True, check=True).stdout.splitlines()
    counted = [line.split("\t") for line in said if "\t" in line]
    added, deleted = (sum(int(line[part]) for line in counted if line[part] != "-") for part in (0, 1))
    assert rows(url, "select count(*) from file_operations") == [(len(counted),)]
    assert rows(url, "select sum(lines_added), sum(lines_deleted), count(*) from worktree_sync_history") == [
        (added, deleted, sum(line.startswith("commit ") for line in said))
    ]
    assert len(lines) == 2
