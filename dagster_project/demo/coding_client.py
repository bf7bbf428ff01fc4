"""A real workload for the coding client database: how this checkout came to be, and notifications that were really delivered.

Belongs here: what of a history becomes which row, and the entry point `fill`. Does not belong here: reading the history
(`coding_client_history`) and delivering (`coding_client_delivery`).

Every value is read or measured; what nobody knows is null. A row is recognised by what it is of: a user by the hash of an address, a
session by its author and its start, a file operation by session, file and time. So a second run adds what is new only.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Table, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute, Session

from dagster_project.demo.coding_client_delivery import MAX_RETRIES, Attempt, deliver, receiver
from dagster_project.demo.coding_client_history import Change, Commit, History, Work, read_history
from dagster_project.resources.databases import engine
from dagster_project.settings import PROJECT_ROOT
from migrations.coding_client.models import (
    Base,
    CodingSession,
    FileOperation,
    Notification,
    NotificationSetting,
    Project,
    SystemLog,
    User,
    Worktree,
    WorktreeSync,
)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "coding_client")
_PROJECT = "runmart"
_SHARED = "shared"
_SERVICES = ("webhook", "slack")
_TOLD = "task_completed"
_NEWEST_TASKS = 100
_SETTING_KEY = (NotificationSetting.user_id, NotificationSetting.notification_type, NotificationSetting.service_type)
_LANGUAGES = {
    ".css": ("css", "text/css"),
    ".html": ("html", "text/html"),
    ".js": ("javascript", "text/javascript"),
    ".json": ("json", "application/json"),
    ".md": ("markdown", "text/markdown"),
    ".py": ("python", "text/x-python"),
    ".sh": ("shell", "application/x-sh"),
    ".sql": ("sql", "application/sql"),
    ".toml": ("toml", "application/toml"),
    ".yaml": ("yaml", "application/yaml"),
    ".yml": ("yaml", "application/yaml"),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class FillSummary:
    """What `fill` added.

    Attributes:
        users: Authors.
        sessions: Sessions of work.
        file_operations: Changes of files.
        synchronisations: Commits, which their authors brought to all.
        notifications: Notifications that were sent, or given up, now.
    """

    users: int
    sessions: int
    file_operations: int
    synchronisations: int
    notifications: int


def fill(url: str, home: Path, tell: Callable[[str], None], root: Path = PROJECT_ROOT) -> FillSummary:
    """Write down what was done in a checkout and is not in the database yet, and notify of it.

    Args:
        url: libpq URL of a migrated coding client database.
        home: Folder under which the receiver of notifications keeps what it got, in `coding_client/`.
        tell: Called with one line per part of the work.
        root: The checkout.
    """
    history = read_history(root)
    tell(f"{len(history.sessions)} sessions in {history.commit_count} commits")
    database = engine(url)
    with Session(database) as session, session.begin():
        summary = _Writer(session, history).write(home / "coding_client" / "received.jsonl")
    database.dispose()
    tell(
        f"{summary.sessions} sessions and {summary.file_operations} file operations added, {summary.notifications} notifications delivered"
    )
    return summary


def key_of(*parts: object) -> uuid.UUID:
    """A UUID that is the same for the same parts."""
    return uuid.uuid5(_NAMESPACE, "/".join(map(str, parts)))


def session_key(work: Work) -> str:
    """Key of a session: who worked, on what, and since when."""
    return str(key_of("session", work.author, work.started_at.isoformat(), *([] if work.commits else [work.name])))


@dataclass(frozen=True)
class _Task:
    """What a user is told of: a commit, or a session without any."""

    work: Work
    name: str
    at: datetime
    files: int

    def key(self, service: str) -> uuid.UUID:
        """What a notification of it is recognised by."""
        return key_of("notification", session_key(self.work), self.name, service)


class _Writer:
    """One filling of the database, in one transaction."""

    def __init__(self, session: Session, history: History) -> None:
        self._session, self._branch, self._commit_count, self._works = session, history.branch, history.commit_count, history.sessions
        self._authors: dict[str, list[Work]] = {}
        for work in history.sessions:
            self._authors.setdefault(work.author, []).append(work)

    def write(self, received: Path) -> FillSummary:
        """Add what is missing; `received` is where the receiver of notifications keeps what it got."""
        if not self._works:
            return FillSummary(0, 0, 0, 0, 0)
        users = self._add(User, [_user(author, works) for author, works in self._authors.items()], User.username)
        self._users = dict(self._session.execute(select(User.username, User.id)).tuples().all())
        self._add(Project, [self._project()], Project.project_id)
        self._project_id = self._session.execute(select(Project.id).where(Project.project_id == str(key_of("project")))).scalar_one()
        self._add(Worktree, self._worktrees(), Worktree.worktree_id, renewed=("commit_hash", "last_sync"))
        sessions = self._add(CodingSession, [self._coding_session(work) for work in self._works], CodingSession.session_id, renewed=())
        operations = self._add_missing(
            FileOperation,
            [self._file_operation(work, change) for work in self._works for change in work.changes],
            ("session_id", "file_path", "created_at", "content_hash"),
        )
        synchronisations = self._add_missing(
            WorktreeSync,
            [self._synchronisation(work, commit) for work in self._works for commit in work.commits],
            ("source_worktree_id", "commit_hash"),
        )
        self._add(NotificationSetting, self._settings(), *_SETTING_KEY)
        notifications = self._notify(received)
        self._count()
        return FillSummary(users, sessions, operations, synchronisations, notifications)

    def _add(self, model: type[Base], rows: list[Row], *key: InstrumentedAttribute[Any], renewed: Iterable[str] | None = None) -> int:
        """Add the rows whose key is new, and say how many; with `renewed`, rows that were used since get those columns and their times."""
        # A model's own insert would leave out nulls, and the database fill in its defaults.
        statement = postgresql.insert(_table(model))
        if renewed is None:
            statement = statement.on_conflict_do_nothing(index_elements=key)
        else:
            values = {name: statement.excluded[name] for name in (*renewed, "last_accessed", "updated_at")}
            is_used_since = _table(model).c.last_accessed < statement.excluded.last_accessed
            statement = statement.on_conflict_do_update(index_elements=key, set_=values, where=is_used_since)
        before = self._size(model)
        self._session.execute(statement, rows)
        return self._size(model) - before

    def _size(self, model: type[Base]) -> int:
        return self._session.execute(select(func.count()).select_from(model)).scalar_one()

    def _add_missing(self, model: type[Base], rows: list[Row], key: tuple[str, ...]) -> int:
        """Add the rows that no row equals in the columns of `key`, and say how many."""
        known = {tuple(row) for row in self._session.execute(select(*(_table(model).c[name] for name in key)))}
        missing = [row for row in rows if tuple(row[name] for name in key) not in known]
        if missing:
            self._session.execute(insert(_table(model)), missing)
        return len(missing)

    def _project(self) -> Row:
        first = self._works[0]
        return {
            "project_id": str(key_of("project")),
            "name": _PROJECT,
            "project_type": "data",
            "default_branch": self._branch,
            "tech_stack": sorted({language for work in self._works for change in work.changes if (language := _language(change)[0])}),
            "owner_id": self._users[first.author],
            "created_at": first.started_at,
            "updated_at": first.started_at,
        }

    def _worktrees(self) -> list[Row]:
        """One of each author, and one that all bring their commits to."""
        own = [self._worktree(author, author, works) for author, works in self._authors.items()]
        return [*own, self._worktree(_SHARED, self._works[0].author, self._works)]

    def _worktree(self, name: str, author: str, works: Iterable[Work]) -> Row:
        works = list(works)
        last = max(works, key=lambda work: work.ended_at)
        return {
            "worktree_id": _worktree_key(name),
            "repository_path": f"{_PROJECT}.git",
            "worktree_path": f"{_PROJECT}/{name}",
            "branch_name": self._branch,
            "commit_hash": last.commits[-1].commit_hash if last.commits else None,
            "last_sync": last.ended_at if last.commits else None,
            "file_count": None,
            "total_size_bytes": None,
            "uncommitted_changes": None,
            "untracked_files": None,
            "user_id": self._users[author],
            "project_id": self._project_id,
            "created_at": min(work.started_at for work in works),
            "updated_at": last.ended_at,
            "last_accessed": last.ended_at,
        }

    def _coding_session(self, work: Work) -> Row:
        return {
            "session_id": session_key(work),
            "name": work.name[:100],
            "status": "stopped",
            "total_tokens_used": None,
            "user_id": self._users[work.author],
            "project_id": self._project_id,
            "worktree_id": _worktree_key(work.author),
            "created_at": work.started_at,
            "updated_at": work.ended_at,
            "last_accessed": work.ended_at,
        }

    def _file_operation(self, work: Work, change: Change) -> Row:
        language, mime_type = _language(change)
        return {
            "session_id": session_key(work),
            "user_id": self._users[work.author],
            "operation_type": change.operation,
            "file_path": change.path[:1000],
            "content_hash": change.content_hash,
            "file_size_bytes": change.size_bytes,
            "mime_type": mime_type,
            "encoding": None,
            "is_binary": change.is_binary,
            "language": language,
            "line_count": change.line_count,
            "created_at": change.at,
        }

    def _synchronisation(self, work: Work, commit: Commit) -> Row:
        return {
            "source_worktree_id": _worktree_key(work.author),
            "target_worktree_id": _worktree_key(_SHARED),
            "sync_type": "merge" if commit.is_merge else "push",
            "status": "success",
            "files_changed": len(commit.changes),
            "lines_added": commit.lines_added,
            "lines_deleted": commit.lines_deleted,
            "commit_hash": commit.commit_hash,
            "executed_by": self._users[work.author],
            "created_at": commit.at,
        }

    def _settings(self) -> list[Row]:
        return [
            {"user_id": self._users[author], "notification_type": _TOLD, "service_type": service}
            for author in self._authors
            for service in _SERVICES
        ]

    def _notify(self, received: Path) -> int:
        """Tell the authors of the newest commits that they are in, and write down how the delivery went."""
        known: set[str | None] = set(self._session.scalars(select(func.jsonb_extract_path_text(Notification.payload, "key"))))
        newest = sorted((task for work in self._works for task in _tasks(work)), key=lambda task: (task.at, task.name))[-_NEWEST_TASKS:]
        due = [(task, service) for task in newest for service in _SERVICES if str(task.key(service)) not in known]
        if due:
            scheduled_at = datetime.now(UTC)
            with receiver(received) as connection:
                for task, service in due:
                    self._record(task, service, scheduled_at, connection)
        return len(due)

    def _record(self, task: _Task, service: str, scheduled_at: datetime, connection: HTTPConnection) -> None:
        about: Row = {"user_id": self._users[task.work.author], "session_id": session_key(task.work)}
        payload = {"key": str(task.key(service)), "task": task.name, "files": task.files}
        attempts = deliver(connection, service, payload)
        last = attempts[-1]
        self._session.add(
            Notification(
                **about,
                notification_type=_TOLD,
                service_type=service,
                title="Task completed",
                message=f"{task.name}: {task.files} files",
                payload=payload,
                status="sent" if last.is_accepted else "failed",
                retry_count=len(attempts) - 1,
                max_retries=MAX_RETRIES,
                response_code=last.response_code,
                error_message=None if last.is_accepted else _refusal(service, last),
                scheduled_at=scheduled_at,
                sent_at=last.at if last.is_accepted else None,
                created_at=scheduled_at,
            )
        )
        for number, attempt in enumerate(attempts, start=1):
            self._session.add(
                SystemLog(
                    **about,
                    level="INFO" if attempt.is_accepted else "WARN" if attempt is not last else "ERROR",
                    category="notification",
                    module="delivery",
                    message=f"{service} accepted the notification" if attempt.is_accepted else _refusal(service, attempt),
                    details={"attempt": number, "response_code": attempt.response_code},
                    created_at=attempt.at,
                )
            )

    def _count(self) -> None:
        """What triggers cannot know of the past: how many commits there are, and when the last one was."""
        last = max(work.ended_at for work in self._works)
        values = {"total_commits": self._commit_count, "last_activity": last, "updated_at": last}
        differs = [_table(Project).c[name].is_distinct_from(value) for name, value in values.items()]
        self._session.execute(update(Project).where(Project.id == self._project_id, or_(*differs)).values(values))


def _user(author: str, works: list[Work]) -> Row:
    """A user who never logs in: no password has such a hash."""
    return {
        "username": author,
        "hashed_password": "!",
        "login_count": None,
        "created_at": works[0].started_at,
        "updated_at": works[0].started_at,
    }


def _tasks(work: Work) -> list[_Task]:
    commits = [_Task(work, commit.commit_hash, commit.at, len(commit.changes)) for commit in work.commits]
    return commits or [_Task(work, work.name, work.ended_at, len(work.changes))]


def _table(model: type[Base]) -> Table:
    return Base.metadata.tables[model.__tablename__]


def _worktree_key(name: str) -> str:
    return str(key_of("worktree", name))


def _language(change: Change) -> tuple[str | None, str | None]:
    return _LANGUAGES.get(PurePosixPath(change.path).suffix.lower(), (None, None))


def _refusal(service: str, attempt: Attempt) -> str:
    return f"{service} answered {attempt.response_code} {HTTPStatus(attempt.response_code).phrase}"
