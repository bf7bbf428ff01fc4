"""A made-up workload for the database and the storage of one tenant of the LLM workflow.

Belongs here: the entry point `fill_tenant`, and writing down what is missing. Does not belong here: what there is to be written
(`llm_runs`), and which tenants there are: each is added by itself, so this is no workload that `runmart demo` finds by a system's name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from dagster_project.demo.llm_runs import File, Row, prompts, stories
from dagster_project.resources.databases import engine
from dagster_project.words import counted
from migrations.llm_workflow.models import Artifact, AuditLog, Base, Prompt, Run, Step

RUNS = 40


@dataclass(frozen=True)
class TenantFillSummary:
    """What `fill_tenant` added.

    Attributes:
        runs: Runs.
        steps: Executions of steps.
        files: Files that were written to the storage.
    """

    runs: int
    steps: int
    files: int


def fill_tenant(url: str, tenant: str, storage: Path, tell: Callable[[str], None], runs: int = RUNS) -> TenantFillSummary:
    """Write down what is missing of a tenant's runs, the same whenever it is called; what is there stays as it is.

    Args:
        url: libpq URL of the tenant's migrated database.
        tenant: Name of the tenant, by which everything is drawn.
        storage: The folder that is `storage/` in the paths of files.
        tell: Called with a line about what was done.
        runs: How many runs there are to be, deleted ones counted.
    """
    told = tuple(stories(tenant, runs))
    files = [file for story in told for file in story.files]
    written = sum(_write(storage, file) for file in files)
    database = engine(url)
    with Session(database) as session, session.begin():
        _add(session, Prompt, list(prompts()))
        added = _add(session, Run, [story.run for story in told if story.run])
        steps = _add_by(session, Step, ("run_id", "step"), [step for story in told for step in story.steps])
        _add(session, Artifact, [file.row for file in files])
        _add_by(session, AuditLog, ("action", "resource_id", "created_at"), [log for story in told for log in story.logs])
    database.dispose()
    tell(f"made up for {tenant}: {counted(added, 'run')}, {counted(steps, 'step')} and {counted(written, 'file')} added")
    return TenantFillSummary(added, steps, written)


def _write(storage: Path, file: File) -> bool:
    """Write a file that is not there yet; whether it was missing."""
    place = storage.joinpath(*PurePosixPath(file.row["file_path"]).parts[1:])
    if place.exists():
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(file.content)
    return True


def _add(session: Session, model: type[Base], rows: Sequence[Row]) -> int:
    """Insert rows of which no unique value is there yet; how many these were."""
    if not rows:
        return 0
    return len(session.scalars(insert(model).on_conflict_do_nothing().returning(model.__table__.c.id), rows).all())


def _add_by(session: Session, model: type[Base], columns: tuple[str, ...], rows: Sequence[Row]) -> int:
    """The same for a table without unique values: rows are recognised by some of their columns."""
    known = {tuple(row) for row in session.execute(select(*(model.__table__.c[column] for column in columns)))}
    return _add(session, model, [row for row in rows if tuple(row[column] for column in columns) not in known])
