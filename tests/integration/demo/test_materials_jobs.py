"""The workload of materials jobs in a real database: right by other ways of computing, true to its files, the same when it runs again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg2
import pytest
from ase.build import add_adsorbate, fcc111
from ase.calculators.emt import EMT

from dagster_project.demo.emt_worker import Worker
from dagster_project.demo.materials_jobs import FillSummary, fill
from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import upgrade
from tests.integration.demo.conftest import query

TABLES = ("app.users", "app.projects", "app.jobs", "app.job_runs", "app.files", "app.materials", "app.vasp_results", "audit.logs")
RUNS = """
select p.name as project, j.name as job, j.status as job_status, j.parameters->>'elements' as elements, r.*
from app.job_runs as r join app.jobs as j on j.id = r.job_id join app.projects as p on p.id = j.project_id order by r.id
"""
RESULTS = f"select runs.*, v.summary, v.result_path from app.vasp_results as v join ({RUNS}) as runs on runs.id = v.job_run_id"

# Measured at room temperature: lattice constants in angstrom, bulk moduli in GPa (C. Kittel, Introduction to Solid State Physics).
MEASURED = {
    "copper": (3.61, 137.0),
    "silver": (4.09, 100.7),
    "gold": (4.08, 173.2),
    "nickel": (3.52, 186.0),
    "palladium": (3.89, 180.8),
    "platinum": (3.92, 278.3),
}
ELECTRONVOLT_PER_ANGSTROM3_IN_GPA = 160.2176634


@dataclass(frozen=True)
class Computed:
    """A filled database and what `fill` said of it."""

    url: str
    home: Path
    summary: FillSummary
    lines: tuple[str, ...]


@pytest.fixture(scope="module")
def computed(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """The whole workload."""
    server.ensure_database("filled_materials_jobs")
    url = server.url("filled_materials_jobs")
    upgrade("materials_jobs", url)
    home = tmp_path_factory.mktemp("home")
    lines: list[str] = []
    return Computed(url, home, fill(url, home, lines.append), tuple(lines))


def records(url: str, statement: str) -> list[dict[str, Any]]:
    """Rows of a query, by column."""
    return [{str(name): value for name, value in row.items()} for row in query(url, statement).to_dict("records")]


def contents(url: str) -> dict[str, list[str]]:
    return {table: sorted(query(url, f"select cast(t as text) as row from {table} as t")["row"]) for table in TABLES}


def test_every_table_has_rows(computed: Computed) -> None:
    assert {table: len(rows) > 0 for table, rows in contents(computed.url).items()} == dict.fromkeys(TABLES, True)


def test_runs_end_in_every_way_for_a_true_reason(computed: Computed) -> None:
    runs = query(computed.url, RUNS)
    assert computed.summary.added == len(computed.lines) == len(runs)
    assert runs["exit_code"].value_counts().to_dict() == {0: 16, 3: 2, -9: 1}
    assert runs.groupby("status")["exit_code"].unique().map(sorted).to_dict() == {"success": [0], "failed": [-9, 3]}
    killed = runs[runs["exit_code"] == -9].iloc[0]
    assert killed["metadata"]["error"] == "killed after its wall time limit of 0.5 s"
    assert (killed["finished_at"] - killed["started_at"]).total_seconds() >= 0.5
    assert (runs["created_at"] <= runs["started_at"]).all()
    assert (runs["started_at"] < runs["finished_at"]).all()


def test_a_job_succeeds_at_its_second_attempt_and_others_do_not(computed: Computed) -> None:
    runs = query(computed.url, RUNS).set_index("job")
    silver = runs.loc["surface of silver"]
    assert silver[["run_number", "status", "job_status"]].to_numpy().tolist() == [[1, "failed", "success"], [2, "success", "success"]]
    jobs = query(computed.url, "select name, status from app.jobs where status <> 'success'")
    assert dict(zip(jobs["name"], jobs["status"], strict=True)) == {
        "surface of gold": "failed",
        "melt of copper": "failed",
        "equation of state of copper, VASP": "pending",
    }


def test_equations_of_state_are_those_of_another_fit(computed: Computed) -> None:
    results = records(computed.url, f"{RESULTS} where project = 'bulk metals'")
    assert len(results) == 8
    for result in results:
        table, summary = pd.read_parquet(result["result_path"]), result["summary"]
        # The Birch-Murnaghan energy is a polynomial of third degree in V^(-2/3): linear least squares know no starting point.
        energy = np.polynomial.Polynomial.fit(table["volume_angstrom3"].to_numpy() ** (-2 / 3), table["energy_ev"].to_numpy(), 3)
        slope, curvature = energy.deriv(1), energy.deriv(2)
        (x,) = [float(root.real) for root in slope.roots() if abs(root.imag) < 1e-12 and curvature(root.real) > 0]
        volume = x ** (-3 / 2)
        assert summary["volume_angstrom3"] == pytest.approx(volume, rel=1e-5)
        assert summary["energy_ev"] == pytest.approx(float(energy(x)), abs=1e-5)
        bulk_modulus = 4 / 9 * volume ** (-7 / 3) * float(curvature(x)) * ELECTRONVOLT_PER_ANGSTROM3_IN_GPA
        assert summary["bulk_modulus_gpa"] == pytest.approx(bulk_modulus, rel=1e-3)


def test_metals_are_as_they_were_measured(computed: Computed) -> None:
    summaries = {row["job"]: row["summary"] for row in records(computed.url, f"{RESULTS} where project = 'bulk metals'")}
    for name, (lattice_constant, bulk_modulus) in MEASURED.items():
        summary = summaries[f"equation of state of {name}"]
        assert summary["lattice_constant_angstrom"] == pytest.approx(lattice_constant, rel=0.015)
        assert summary["bulk_modulus_gpa"] == pytest.approx(bulk_modulus, rel=0.08)


def test_what_is_relaxed_has_no_force_left_and_what_is_not_has(computed: Computed) -> None:
    files = f"select runs.*, f.storage_path from app.files as f join ({RUNS}) as runs on runs.id = f.job_run_id"
    surfaces = records(computed.url, f"{files} where job like 'surface of %%'")
    assert len(surfaces) == 6
    for run in surfaces:
        steps = pd.read_parquet(run["storage_path"])
        energies, forces = steps["energy_ev"].tolist(), steps["max_force_ev_per_angstrom"].tolist()
        assert energies[-1] < energies[0]
        assert (forces[-1] <= 0.01) == (run["status"] == "success")
        if run["status"] == "failed":
            assert len(steps) == 1 + run["metadata"]["step_limit"]


def energy_of_oxygen(element: str, lattice_constant: float, height: float) -> float:
    """Energy of a slab with an oxygen atom so high above it."""
    slab = fcc111(element, size=(2, 2, 3), a=lattice_constant, vacuum=8.0)
    add_adsorbate(slab, "O", height, "fcc")
    slab.calc = EMT()
    return float(slab.get_potential_energy())


def test_adsorption_energies_are_minima_over_the_height(computed: Computed) -> None:
    results = records(computed.url, f"select * from ({RESULTS}) as results where job like 'oxygen on %%'")
    constants = {row["external_id"]: row["properties"] for row in records(computed.url, "select * from app.materials")}
    assert len(results) == 4
    for result in results:
        name = result["summary"]["material"]
        element, constant = name.removeprefix("ase:"), constants[name]["lattice_constant_angstrom"]
        lowest_at = 1.5
        for step in (0.1, 0.01, 0.001):
            heights = lowest_at + step * np.arange(-10, 11)
            energies = [energy_of_oxygen(element, constant, float(height)) for height in heights]
            lowest_at = float(heights[int(np.argmin(energies))])
        adsorption_energy = min(energies) - energy_of_oxygen(element, constant, 20.0)
        assert result["summary"]["adsorption_energy_ev"] == pytest.approx(adsorption_energy, abs=1e-4)


def test_files_are_what_the_database_says(computed: Computed) -> None:
    files = query(computed.url, "select * from app.files")
    assert [Path(path).stat().st_size for path in files["storage_path"]] == files["size_bytes"].tolist()
    assert set(files["storage_path"]) == {str(path) for path in computed.home.rglob("*") if path.is_file()}
    assert set(query(computed.url, "select result_path from app.vasp_results")["result_path"]) < set(files["storage_path"])
    assert set(query(computed.url, "select summary->>'calculator' as name from app.vasp_results")["name"]) == {"EMT"}


def test_every_operation_has_its_user(computed: Computed) -> None:
    logs = query(
        computed.url,
        "select u.username, l.object_id from audit.logs as l left join app.users as u on u.id = l.who where l.object_type = 'job'",
    )
    owners = query(computed.url, "select u.username, j.id::text as object_id from app.jobs as j join app.users as u on u.id = j.created_by")
    pd.testing.assert_frame_equal(
        logs.sort_values("object_id", ignore_index=True), owners.sort_values("object_id", ignore_index=True), check_dtype=False
    )
    without_jobs = query(computed.url, "select name from app.projects where id not in (select project_id from app.jobs)")
    assert without_jobs["name"].tolist() == ["grain boundaries"]


def test_a_second_fill_changes_nothing(computed: Computed) -> None:
    before = contents(computed.url), {path: path.stat().st_mtime_ns for path in computed.home.rglob("*")}
    summary = fill(computed.url, computed.home, lambda _: None)
    assert (summary.added, summary.known) == (0, 19)
    assert (contents(computed.url), {path: path.stat().st_mtime_ns for path in computed.home.rglob("*")}) == before


def test_what_is_missing_is_computed_again_with_the_same_result(
    new_database: Callable[[str], str], computed: Computed, tmp_path: Path
) -> None:
    url = new_database("materials_jobs")
    fill(url, tmp_path, lambda _: None)
    numbers = (
        "select j.name, v.summary from app.vasp_results as v join app.job_runs as r on r.id = v.job_run_id"
        " join app.jobs as j on j.id = r.job_id"
    )
    summaries = [dict(query(each, numbers).to_numpy().tolist()) for each in (computed.url, url)]
    assert summaries[0] == summaries[1]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("delete from app.job_runs where run_number = 1 and job_id in (select job_id from app.job_runs where run_number = 2)")
        cursor.execute("delete from app.jobs where name = 'equation of state of gold'")
    connection.close()
    lines: list[str] = []
    summary = fill(url, tmp_path, lines.append)
    assert (summary.added, summary.known) == (2, 17)
    assert lines == ["equation of state of gold, run 1: done", "surface of silver, run 1: not converged after 5 steps"]
    assert dict(query(url, numbers).to_numpy().tolist()) == summaries[0]


def test_an_error_is_the_answer_and_the_worker_goes_on() -> None:
    copper = {"task": "equation_of_state", "elements": ["Cu"], "lattice_constant_angstrom": 3.61}
    with Worker() as worker:
        failed = worker.execute(copper, None)
        assert (failed.exit_code, failed.result) == (1, None)
        assert str(failed.error).endswith("KeyError: 'cells_per_cube'\n")
        assert worker.execute({**copper, "cells_per_cube": 4}, None).exit_code == 0
