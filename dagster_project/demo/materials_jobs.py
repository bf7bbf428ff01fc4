"""A real workload for the materials job database: computations with effective medium theory (EMT) on eight materials.

Belongs here: which projects, jobs and runs there are, writing them down, and the entry point `fill`. Does not belong here: what is computed
(`emt`), and the processes that do it (`emt_worker`).

A run is recognised by its job and its number, a job by its project and its name; what is there is neither computed nor changed again. Each
run has a process of its own, whose times and exit code are written down. Its whole result is a Parquet file, its main numbers are a row of
`vasp_results`, which here holds results of EMT and says so. Lattice constants to start from are those of ASE's reference data; that of the
alloy lies between those of its elements.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from dagster_project.demo.emt_worker import Execution, Worker
from dagster_project.resources.databases import engine
from migrations.materials_jobs.models import File, Job, JobRun, Material, Project, User, VaspResult

_SURFACE_GROUP = "surface_group"
_PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Metal:
    """A metal, with what ASE knows of it.

    Attributes:
        symbol: Chemical symbol.
        name: Its name.
        lattice_constant_angstrom: Edge of the cube that holds four atoms, at room temperature.
        atomic_mass_u: Mass of an atom.
    """

    symbol: str
    name: str
    lattice_constant_angstrom: float
    atomic_mass_u: float


METALS = (
    Metal("Al", "aluminium", 4.05, 26.9815385),
    Metal("Ni", "nickel", 3.52, 58.6934),
    Metal("Cu", "copper", 3.61, 63.546),
    Metal("Pd", "palladium", 3.89, 106.42),
    Metal("Ag", "silver", 4.09, 107.8682),
    Metal("Pt", "platinum", 3.92, 195.084),
    Metal("Au", "gold", 4.08, 196.966569),
)
_ALLOY = "Cu3Au"


@dataclass(frozen=True)
class Attempt:
    """What a run is allowed, apart from its job.

    Attributes:
        step_limit: Steps after which it gives up; None if it takes none.
        wall_time_limit_seconds: Time after which it is killed; None for never.
    """

    step_limit: int | None = None
    wall_time_limit_seconds: float | None = None


@dataclass(frozen=True)
class PlannedJob:
    """A job and its runs, the first being number 1.

    Attributes:
        name: Name, unique within the project.
        description: What it is for.
        parameters: Its input.
        attempts: Its runs; none for a job that nothing here can compute.
        type: What computes it.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    type: str = "emt"


@dataclass(frozen=True)
class PlannedProject:
    """A project and its jobs.

    Attributes:
        name: Name, unique within its owner's.
        description: What it is for.
        owner: Name of the user whom it belongs to; None for the role that writes.
        is_public: Whether all users may see it.
        jobs: Its jobs.
    """

    name: str
    description: str
    owner: str | None
    is_public: bool
    jobs: tuple[PlannedJob, ...]


def _of(metal: Metal, task: str, **further: object) -> dict[str, Any]:
    lattice = {"elements": [metal.symbol], "lattice_constant_angstrom": metal.lattice_constant_angstrom}
    return {"material": f"ase:{metal.symbol}", "task": task, **lattice, **further}


def _equation_of_state(metal: Metal) -> PlannedJob:
    description = "Energies at nine volumes, fitted by a Birch-Murnaghan equation of state."
    return PlannedJob(f"equation of state of {metal.name}", description, _of(metal, "equation_of_state", cells_per_cube=4), (Attempt(),))


def _relaxation(metal: Metal, *step_limits: int) -> PlannedJob:
    description = "A shaken slab with a (111) surface, relaxed until no force exceeds 0.01 eV per angstrom."
    attempts = tuple(Attempt(step_limit) for step_limit in step_limits)
    return PlannedJob(f"surface of {metal.name}", description, _of(metal, "relaxation"), attempts)


def _adsorption(metal: Metal) -> PlannedJob:
    description = "An oxygen atom in the fcc hollow of a (111) surface."
    return PlannedJob(f"oxygen on {metal.name}", description, _of(metal, "adsorption", adsorbate="O"), (Attempt(100),))


_COPPER = next(metal for metal in METALS if metal.symbol == "Cu")
_ALLOY_INPUT = {
    "material": f"ase:{_ALLOY}",
    "task": "equation_of_state",
    "elements": ["Au", "Cu"],
    "lattice_constant_angstrom": 3.75,
    "cells_per_cube": 1,
}

# Silver converges once it is allowed enough steps, gold is never given them, and the melt is far too large for its time.
_STEP_LIMITS = {"Al": (200,), "Cu": (200,), "Ag": (5, 200), "Pt": (200,), "Au": (5,)}
_CATALYSTS = ("Ni", "Cu", "Pd", "Pt")
PROJECTS = (
    PlannedProject(
        "bulk metals",
        "Volumes and bulk moduli of metals and an alloy.",
        None,
        True,
        (
            *map(_equation_of_state, METALS),
            PlannedJob(f"equation of state of {_ALLOY}", "The ordered alloy, in the structure L1_2.", _ALLOY_INPUT, (Attempt(),)),
            PlannedJob(
                "equation of state of copper, VASP",
                "The same with density functional theory, for comparison; it waits for a machine that has VASP.",
                {"material": "ase:Cu", "task": "equation_of_state", "cutoff_ev": 400},
                (),
                type="vasp",
            ),
        ),
    ),
    PlannedProject(
        "metal surfaces",
        "Relaxed (111) surfaces, bare and with oxygen.",
        _SURFACE_GROUP,
        False,
        (
            *(_relaxation(metal, *_STEP_LIMITS[metal.symbol]) for metal in METALS if metal.symbol in _STEP_LIMITS),
            *(_adsorption(metal) for metal in METALS if metal.symbol in _CATALYSTS),
        ),
    ),
    PlannedProject(
        "melting",
        "Molecular dynamics of large crystals.",
        _SURFACE_GROUP,
        False,
        (
            PlannedJob(
                "melt of copper",
                "A thousand atoms for half a nanosecond.",
                _of(_COPPER, "dynamics", repeats=10, timestep_fs=5.0),
                (Attempt(step_limit=100_000, wall_time_limit_seconds=0.5),),
            ),
        ),
    ),
    PlannedProject("grain boundaries", "Planned; it has no jobs yet.", _SURFACE_GROUP, False, ()),
)


@dataclass(frozen=True)
class FillSummary:
    """What `fill` did.

    Attributes:
        added: Runs that were carried out and written down now.
        known: Runs that were there before and not carried out again.
        seconds: How long it took.
    """

    added: int
    known: int
    seconds: float


def fill(url: str, home: Path, tell: Callable[[str], None]) -> FillSummary:
    """Carry out the runs that are not there yet, and write them down.

    Args:
        url: libpq URL of a migrated materials job database.
        home: Folder under which result files are written, in `materials_jobs/`.
        tell: Called with one line per run that is carried out.

    Raises:
        RuntimeError: The process that computes has ended.
    """
    started = perf_counter()
    database = engine(url)
    with Session(database) as session, session.begin():
        writer = str(session.scalar(select(func.session_user())))
        _ensure_users(session, writer)
    known = 0
    missing: list[_Missing] = []
    for project in PROJECTS:
        with Session(database) as session, session.begin():
            for job, planned in _ensure_jobs(session, project, writer):
                numbers = set(session.scalars(select(JobRun.run_number).where(JobRun.job_id == job.id)))
                known += len(numbers)
                attempts = enumerate(planned.attempts, start=1)
                missing += [_Missing(job.id, number, planned, attempt) for number, attempt in attempts if number not in numbers]
    # They are queued together, and one worker takes up one after the other.
    queued_at = datetime.now(UTC)
    with Worker() as worker:
        for run in missing:
            parameters = {**run.planned.parameters, "step_limit": run.attempt.step_limit}
            execution = worker.execute(parameters, run.attempt.wall_time_limit_seconds)
            _record(database, run, queued_at, execution, home.resolve() / "materials_jobs")
            tell(f"{run.planned.name}, run {run.number}: {execution.error or 'done'}")
    database.dispose()
    return FillSummary(added=len(missing), known=known, seconds=perf_counter() - started)


@dataclass(frozen=True)
class _Missing:
    job_id: int
    number: int
    planned: PlannedJob
    attempt: Attempt


def _ensure_users(session: Session, writer: str) -> None:
    purposes = {writer: "Demo workload", _SURFACE_GROUP: "Group that studies surfaces", "runmart": "Runmart, which reads this database"}
    known = set(session.scalars(select(User.username)))
    session.add_all(
        User(username=name, email=f"{name}@localhost", display_name=purpose) for name, purpose in purposes.items() if name not in known
    )


def _ensure_jobs(session: Session, planned: PlannedProject, writer: str) -> Iterator[tuple[Job, PlannedJob]]:
    owner = session.scalars(select(User).where(User.username == (planned.owner or writer))).one()
    _act_as(session, owner.id)
    _ensure_materials(session)
    project = session.scalar(select(Project).where(Project.owner_id == owner.id, Project.name == planned.name))
    if project is None:
        project = Project(owner_id=owner.id, name=planned.name, description=planned.description, is_public=planned.is_public)
        session.add(project)
        session.flush()
    for each in planned.jobs:
        job = session.scalar(select(Job).where(Job.project_id == project.id, Job.name == each.name))
        if job is None:
            job = Job(
                project_id=project.id,
                created_by=owner.id,
                name=each.name,
                description=each.description,
                type=each.type,
                parameters=dict(each.parameters),
            )
            session.add(job)
            session.flush()
        yield job, each


def _ensure_materials(session: Session) -> None:
    known = set(session.scalars(select(Material.external_id)))
    materials = [
        Material(
            external_id=f"ase:{metal.symbol}",
            name=metal.name,
            composition={metal.symbol: 1},
            properties={
                "crystal_structure": "fcc",
                "lattice_constant_angstrom": metal.lattice_constant_angstrom,
                "atomic_mass_u": metal.atomic_mass_u,
            },
        )
        for metal in METALS
    ]
    alloy = Material(external_id=f"ase:{_ALLOY}", name=_ALLOY, composition={"Cu": 3, "Au": 1}, properties={"crystal_structure": "L1_2"})
    session.add_all(material for material in (*materials, alloy) if material.external_id not in known)


def _act_as(session: Session, user_id: int) -> None:
    session.execute(select(func.set_config("materials_jobs.user_id", str(user_id), True)))


def _record(database: Engine, missing: _Missing, queued_at: datetime, execution: Execution, folder: Path) -> None:
    with Session(database) as session, session.begin():
        job = session.get_one(Job, missing.job_id)
        run = JobRun(
            job_id=job.id,
            run_number=missing.number,
            status="success" if execution.exit_code == 0 else "failed",
            started_at=execution.started_at,
            finished_at=execution.finished_at,
            exit_code=execution.exit_code,
            metadata_=_metadata(missing.attempt, execution),
            created_at=queued_at,
        )
        if execution.result is not None:
            path = folder / f"job_{job.id}" / f"run_{missing.number}" / "result.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(execution.result["columns"]).to_parquet(path, index=False)
            run.files.append(_file(job, path))
            if execution.exit_code == 0:
                summary = {"calculator": "EMT", "material": missing.planned.parameters["material"], **execution.result["summary"]}
                run.vasp_results.append(VaspResult(result_path=str(path), summary=summary))
        session.add(run)


def _metadata(attempt: Attempt, execution: Execution) -> dict[str, Any]:
    known = {
        "calculator": "EMT",
        "step_limit": attempt.step_limit,
        "wall_time_limit_seconds": attempt.wall_time_limit_seconds,
        "error": execution.error,
    }
    return {name: value for name, value in known.items() if value is not None}


def _file(job: Job, path: Path) -> File:
    return File(
        project_id=job.project_id,
        name=path.name,
        mime_type=_PARQUET,
        storage_path=str(path),
        size_bytes=path.stat().st_size,
        created_by=job.created_by,
    )
