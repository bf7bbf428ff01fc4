"""A real workload for the pipe service's database: Runmart's own runs, so that Runmart reports on itself.

Belongs here: which users, organizations, pipelines, keys and files there are, and writing them and the runs down. Does not belong here:
what Dagster knows of its runs (`dagster_runs`).

Organizations are the systems that Runmart serves, and Runmart. Pipelines are Dagster's jobs; those that read one system belong to it.
Files are what is in the home: logs of steps, and Data Docs. Nobody signs in here, so passwords are locked, and API keys are made up, as
their names say. Every row is recognised by its UUID; a run has that of Dagster.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from dagster import DagsterInstance
from sqlalchemy import column, select, table, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from dagster_project.contracts.loading import shared_contracts
from dagster_project.demo.dagster_runs import COMMAND, ENDED, KnownRun, known_runs
from dagster_project.resources.databases import Databases, engine
from dagster_project.resources.instance import open_instance
from dagster_project.settings import Settings
from dagster_project.words import counted
from migrations.pipe_service.models import ApiKey, Organization, OrganizationMember, Pipeline, PipelineRun, StorageFile, User

_Row = User | Organization | Pipeline | PipelineRun | StorageFile | ApiKey

_TABLES = (User, Organization, Pipeline, PipelineRun, StorageFile, ApiKey)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "pipe_service")

RUNMART = "runmart"
_USERS = {
    RUNMART: ("Runmart itself", "owner"),
    COMMAND: ("Commands of people", "admin"),
    "scheduler": ("Schedules", "member"),
    "automation": ("Sensors and automation", "member"),
    "user_interface": ("Dagster UI", "member"),
}
# No hash of any password: whoever has it cannot sign in.
_LOCKED = "!"

# Those that begin with the job's name and a system's belong to that system. Further ones come with their first run.
JOBS_OF_A_SYSTEM = {"sync": "Read {system} and check its raw tables.", "reconcile": "Read {system}, compare it in full with raw, repair."}
JOBS_OF_RUNMART = {
    "sync_and_refresh": "Read every source, check, rebuild the marts, check, publish.",
    "refresh": "Rebuild the marts from raw, check, publish.",
    "check": "Run every check on all rows that are there.",
    "verify": "Compute groups of every mart again from raw, and compare them with what is published.",
    "retention": "Remove what only grows.",
}

_KEYS_CREATED_AT = datetime(2025, 1, 1, tzinfo=UTC)
_FOLDERS = ("dagster/storage", "data_docs")
_MIME_TYPES = {".html": "text/html", ".json": "application/json", ".out": "text/plain", ".err": "text/plain", ".css": "text/css"}


@dataclass(frozen=True)
class FillSummary:
    """What `fill` did.

    Attributes:
        runs_added: Runs that were written down for the first time.
        runs_updated: Runs that have gone on since.
        files_added: Files that were written down for the first time.
        files_removed: Files that are gone.
    """

    runs_added: int
    runs_updated: int
    files_added: int
    files_removed: int


def fill(url: str, home: Path, tell: Callable[[str], None]) -> FillSummary:
    """Write down what Runmart has run on this home, and what has changed since the last time.

    Args:
        url: libpq URL of a migrated database of the pipe service.
        home: The home, whose Dagster instance is read.
        tell: Called with a line about what was done.
    """
    with open_instance(Databases(replace(Settings.from_environment(), home=home))) as instance:
        return record(url, home, instance, tell)


def record(url: str, home: Path, instance: DagsterInstance, tell: Callable[[str], None]) -> FillSummary:
    """The same, of an instance that is open."""
    database = engine(url)
    with Session(database) as session, session.begin():
        writer = _Writer(session, tuple(shared_contracts()))
        writer.ensure_standing_rows()
        added, updated = writer.record_runs(known_runs(instance, without=writer.settled_runs))
        writer.ensure_keys()
        files_added, files_removed = writer.record_files(home)
    database.dispose()
    if not writer.has_runs:
        tell("there is no run yet: users, organizations, pipelines and keys are written, runs come with the next fill")
    else:
        tell(f"{counted(added, 'run')} added, {updated} updated; {counted(files_added, 'file')} added, {files_removed} removed")
    return FillSummary(added, updated, files_added, files_removed)


class _Writer:
    """Brings the rows of one database to what is known; rows that are right already are left alone."""

    def __init__(self, session: Session, systems: tuple[str, ...]) -> None:
        self._session, self._systems = session, systems
        # Kept, because the session itself forgets what nobody holds.
        rows = (cast("_Row", row) for model in _TABLES for row in session.scalars(select(model)))
        self._stored: dict[tuple[type[_Row], uuid.UUID | None], _Row] = {(type(row), row.id): row for row in rows}
        self._archived = _archived_runs(session)

    @property
    def settled_runs(self) -> frozenset[uuid.UUID]:
        """Runs that were written down after they had ended, or are in the archive: nothing of them changes any more."""
        return frozenset(run.id for run in self._runs() if run.status in ENDED) | self._archived

    @property
    def has_runs(self) -> bool:
        """Whether any run is written down, here or in the archive."""
        return bool(self._archived) or next(self._runs(), None) is not None

    def ensure_standing_rows(self) -> None:
        """Users, organizations with their members, and the pipelines that are known before they run."""
        for name, (purpose, _) in _USERS.items():
            self._ensure(User(id=_key("user", name), email=f"{name}@localhost", name=purpose, password_hash=_LOCKED))
        for organization in (RUNMART, *self._systems):
            self._ensure(Organization(id=_key("organization", organization), name=organization))
            for user, (_, role) in _USERS.items():
                self._session.merge(
                    OrganizationMember(organization_id=_key("organization", organization), user_id=_key("user", user), role=role)
                )
        for job, description in self._jobs().items():
            self._ensure_pipeline(job, description)

    def record_runs(self, runs: Iterator[KnownRun]) -> tuple[int, int]:
        """Write runs down; how many are new, and how many have gone on."""
        added = updated = 0
        for known in runs:
            self._ensure_pipeline(known.job, self._jobs().get(known.job))
            is_new = (PipelineRun, known.run_id) not in self._stored
            has_changed = self._ensure(
                PipelineRun(
                    id=known.run_id,
                    pipeline_id=_key("pipeline", known.job),
                    status=known.status,
                    started_at=known.started_at,
                    completed_at=known.completed_at,
                    error_message=known.error_message,
                    metrics=known.metrics,
                    created_by=_key("user", known.started_by),
                )
            )
            added += is_new
            updated += has_changed and not is_new
        return added, updated

    def ensure_keys(self) -> None:
        """Three keys per organization: one that its runs use, one that has expired, one that nobody has used."""
        for organization in (RUNMART, *self._systems):
            last_run = max((run.started_at for run in self._runs() if self._organization_of_run(run.id) == organization), default=None)
            kinds: dict[str, Mapping[str, datetime | None]] = {
                "made up: used by runs": {"last_used_at": last_run, "expires_at": None},
                "made up: expired": {"last_used_at": datetime(2025, 2, 1, tzinfo=UTC), "expires_at": datetime(2025, 7, 1, tzinfo=UTC)},
                "made up: never used": {"last_used_at": None, "expires_at": None},
            }
            for name, times in kinds.items():
                self._ensure(
                    ApiKey(
                        id=_key("api_key", organization, name),
                        organization_id=_key("organization", organization),
                        name=name,
                        key_hash=hashlib.sha256(f"no key has this hash: {organization}, {name}".encode()).hexdigest(),
                        created_by=_key("user", RUNMART),
                        created_at=_KEYS_CREATED_AT,
                        **times,
                    )
                )

    def record_files(self, home: Path) -> tuple[int, int]:
        """Write down the files of the home, and forget those that are gone; how many are new, and how many are gone."""
        added = 0
        found: set[uuid.UUID | None] = set()
        for path in sorted(file for folder in _FOLDERS for file in (home / folder).rglob("*") if file.is_file()):
            name = path.relative_to(home).as_posix()
            file_id = _key("file", name)
            found.add(file_id)
            if _run_of(name) not in self._archived:
                added += (StorageFile, file_id) not in self._stored
                self._ensure(self._file(file_id, name, path))
        gone = [row for (model, key), row in self._stored.items() if model is StorageFile and key not in found]
        for row in gone:
            self._session.delete(row)
        return added, len(gone)

    def _file(self, file_id: uuid.UUID, name: str, path: Path) -> StorageFile:
        owner = Path(name).parts[1] if name.startswith("data_docs/") else self._organization_of_run(_run_of(name))
        status = path.stat()
        return StorageFile(
            id=file_id,
            organization_id=_key("organization", owner if owner in self._systems else RUNMART),
            path=name,
            size=status.st_size,
            mime_type=_MIME_TYPES.get(path.suffix),
            metadata_={"kind": "data_docs" if name.startswith("data_docs/") else "step_log"},
            created_by=_key("user", RUNMART),
            created_at=datetime.fromtimestamp(status.st_mtime, UTC),
        )

    def _ensure(self, row: _Row) -> bool:
        """Store a row, or bring the one of its key to its values; whether anything changed."""
        stored = self._stored.setdefault((type(row), row.id), row)
        if stored is row:
            self._session.add(row)
            # At once, because what refers to a row comes after it.
            self._session.flush()
            return True
        wanted = {name: value for name, value in vars(row).items() if not name.startswith("_")}
        changed = {name: value for name, value in wanted.items() if getattr(stored, name) != value}
        for name, value in changed.items():
            setattr(stored, name, value)
        return bool(changed)

    def _ensure_pipeline(self, job: str, description: str | None) -> None:
        self._ensure(
            Pipeline(
                id=_key("pipeline", job),
                organization_id=_key("organization", self._organization_of(job)),
                name=job,
                description=description,
                config={"dagster_job": job},
                created_by=_key("user", RUNMART),
            )
        )

    def _jobs(self) -> dict[str, str]:
        of_systems = {f"{job}_{system}": text.format(system=system) for system in self._systems for job, text in JOBS_OF_A_SYSTEM.items()}
        return {**JOBS_OF_RUNMART, **of_systems}

    def _organization_of(self, job: str) -> str:
        """Jobs of a named warehouse begin with its name."""
        label = job.rpartition("__")[2]
        return next((system for system in self._systems if label in {f"{kind}_{system}" for kind in JOBS_OF_A_SYSTEM}), RUNMART)

    def _organization_of_run(self, run_id: uuid.UUID | None) -> str:
        run = self._stored.get((PipelineRun, run_id))
        pipeline = self._stored.get((Pipeline, run.pipeline_id)) if isinstance(run, PipelineRun) else None
        return self._organization_of(pipeline.name) if isinstance(pipeline, Pipeline) else RUNMART

    def _runs(self) -> Iterator[PipelineRun]:
        return (row for row in self._stored.values() if isinstance(row, PipelineRun))


def _key(*parts: str) -> uuid.UUID:
    """A UUID that is the same for the same parts."""
    return uuid.uuid5(_NAMESPACE, "/".join(parts))


def _run_of(name: str) -> uuid.UUID | None:
    """The run that wrote a file, by its path in the home; None if the path does not say it."""
    try:
        return uuid.UUID(Path(name).parts[2])
    except (ValueError, IndexError):
        return None


def _archived_runs(session: Session) -> frozenset[uuid.UUID]:
    """Runs whose month was moved to the archive, though Dagster may still know them."""
    tables = session.scalars(text("select table_name from information_schema.tables where table_schema = 'archive'"))
    run_id = column("id", UUID[uuid.UUID](as_uuid=True))
    queries = [select(run_id).select_from(table(name, schema="archive")) for name in tables if name.startswith("pipeline_runs_")]
    return frozenset(archived for query in queries for archived in session.scalars(query))
