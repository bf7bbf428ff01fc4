"""Atomistic computations with effective medium theory (EMT), the calculator that ASE brings along.

Belongs here: what is computed from which parameters, and its result. Does not belong here: processes and their limits (`emt_worker`), which
computations there are, and writing them down (`materials_jobs`). Energies are those of EMT, which counts from the bulk metal at its own
lattice constant: they are no energies of VASP. Results are the same each time.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import add_adsorbate, bulk, fcc111
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.eos import EquationOfState
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

_STRAINS = np.linspace(0.96, 1.04, 9)
_FORCE_LIMIT_EV_PER_ANGSTROM = 0.01
_SEED = 7


@dataclass(frozen=True)
class Result:
    """What a computation gives.

    Attributes:
        is_converged: Whether it ended as it should, and not because its steps were used up.
        columns: The whole result as a table, by column; units stand in the names.
        summary: Its main numbers; units stand in the names.
    """

    is_converged: bool
    columns: Mapping[str, list[float]]
    summary: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The same, for another process."""
        return asdict(self)


def compute(parameters: Mapping[str, Any]) -> Result:
    """Carry out a computation.

    Args:
        parameters: `task`, one of `TASKS`; the others are those of the task.

    Raises:
        KeyError: A parameter is missing, or there is no such task.
    """
    return TASKS[parameters["task"]](parameters)


def equation_of_state(parameters: Mapping[str, Any]) -> Result:
    """Energies of one cell at several volumes, and the Birch-Murnaghan equation of state that fits them."""
    cell = _crystal(parameters)
    volumes, energies = [], []
    for strain in _STRAINS:
        strained = cell.copy()
        strained.set_cell(cell.cell * strain, scale_atoms=True)
        strained.calc = EMT()
        volumes.append(float(strained.get_volume()))
        energies.append(float(strained.get_potential_energy()))
    volume, energy, bulk_modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
    summary = {
        "atoms": len(cell),
        "volume_angstrom3": float(volume),
        "energy_ev": float(energy),
        "bulk_modulus_gpa": float(bulk_modulus / units.GPa),
        "lattice_constant_angstrom": float((volume * parameters["cells_per_cube"]) ** (1 / 3)),
    }
    return Result(True, {"volume_angstrom3": volumes, "energy_ev": energies}, summary)


def relaxation(parameters: Mapping[str, Any]) -> Result:
    """A shaken slab with a (111) surface, relaxed until no force is left or no step."""
    slab = _slab(parameters)
    slab.rattle(stdev=0.1, seed=_SEED)
    return _relaxed(slab, parameters["step_limit"])


def adsorption(parameters: Mapping[str, Any]) -> Result:
    """An atom in the fcc hollow of a (111) surface that is held, relaxed; its energy counts from that of the same atom far above."""
    near, far = (_covered(parameters, height) for height in (1.2, 30.0))
    result = _relaxed(near, parameters["step_limit"])
    # Not from the bare slab and a free atom: where EMT cuts off interactions depends on which elements there are.
    energy = result.summary["energy_ev"] - float(far.get_potential_energy())
    return Result(result.is_converged, result.columns, {**result.summary, "adsorption_energy_ev": energy})


def dynamics(parameters: Mapping[str, Any]) -> Result:
    """Molecular dynamics of a large crystal."""
    crystal = _crystal(parameters).repeat(parameters["repeats"])
    crystal.rattle(stdev=0.05, seed=_SEED)
    crystal.calc = EMT()
    motion = VelocityVerlet(crystal, timestep=parameters["timestep_fs"] * units.fs)
    energies = [float(crystal.get_total_energy()) for _ in motion.irun(parameters["step_limit"])]
    return Result(True, {"energy_ev": energies}, {"atoms": len(crystal), "energy_ev": energies[-1]})


TASKS: Mapping[str, Callable[[Mapping[str, Any]], Result]] = {
    "equation_of_state": equation_of_state,
    "relaxation": relaxation,
    "adsorption": adsorption,
    "dynamics": dynamics,
}


def _crystal(parameters: Mapping[str, Any]) -> Atoms:
    lattice_constant = parameters["lattice_constant_angstrom"]
    if len(parameters["elements"]) == 1:
        return bulk(parameters["elements"][0], "fcc", a=lattice_constant)
    # L1_2: the first element at the corners, the second on the faces.
    corner, face = parameters["elements"]
    places = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    return Atoms([corner, face, face, face], scaled_positions=places, cell=[lattice_constant] * 3, pbc=True)


def _slab(parameters: Mapping[str, Any]) -> Atoms:
    (element,) = parameters["elements"]
    slab: Atoms = fcc111(element, size=(2, 2, 3), a=parameters["lattice_constant_angstrom"], vacuum=8.0)
    slab.calc = EMT()
    return slab


def _covered(parameters: Mapping[str, Any], height: float) -> Atoms:
    slab = _slab(parameters)
    slab.set_constraint(FixAtoms(range(len(slab))))
    add_adsorbate(slab, parameters["adsorbate"], height, "fcc")
    return slab


def _relaxed(atoms: Atoms, step_limit: int) -> Result:
    energies, forces = [], []
    is_converged = False
    for converged in BFGS(atoms, logfile=None).irun(fmax=_FORCE_LIMIT_EV_PER_ANGSTROM, steps=step_limit):
        is_converged = bool(converged)
        energies.append(float(atoms.get_potential_energy()))
        forces.append(float(np.linalg.norm(atoms.get_forces(), axis=1).max()))
    summary = {"atoms": len(atoms), "steps": len(energies) - 1, "energy_ev": energies[-1], "max_force_ev_per_angstrom": forces[-1]}
    return Result(is_converged, {"energy_ev": energies, "max_force_ev_per_angstrom": forces}, summary)
