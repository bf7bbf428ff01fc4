"""What the warehouses of one namespace hold: systems, and the models and suites of these.

Belongs here: telling what is in a tenant's warehouse from what is in the others'. Does not belong here: reading contracts, suites and dbt's
manifest. Commands that answer at once ask for it, so nothing here imports Dagster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts, shared_contracts
from dagster_project.marts.lineage import read_project
from dagster_project.marts.plan import Plan, make_plan
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality.suites import Suite, load_suites
from dagster_project.quality.validation import Project
from dagster_project.resources.manifest import load_manifest
from dagster_project.warehouse import DEFAULT, Namespace, of_tenants

# The parts of a manifest that are about nodes.
_NODES = ("nodes", "sources", "unit_tests")
_EDGES = ("parent_map", "child_map")


@dataclass(frozen=True)
class Share:
    """What warehouses hold.

    Attributes:
        tenants_of: The system with tenants whose rows they hold, each those of one tenant; None if they hold the systems without.
    """

    tenants_of: str | None = None

    @cached_property
    def contracts(self) -> Mapping[str, SystemContract]:
        """Contracts of the systems, by name."""
        return {self.tenants_of: load_contracts()[self.tenants_of]} if self.tenants_of else shared_contracts()

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """Dbt's manifest without what reads tables of other systems; models that read none are in all warehouses.

        Raises:
            DbtParseError: The project does not parse.
        """
        return {**load_manifest(), **without_systems(load_manifest(), load_contracts().keys() - self.contracts.keys())}

    @cached_property
    def plan(self) -> Plan:
        """How the marts are refreshed.

        Raises:
            DbtParseError: The project does not parse.
            MartDeclarationError: A mart does not say what must be known of it.
        """
        return make_plan(read_project(self.manifest), self.contracts)

    @cached_property
    def suites(self) -> Mapping[str, Suite]:
        """What is expected of raw tables and marts, by name."""
        return {name: suite for name, suite in load_suites().items() if self._holds(suite)}

    @cached_property
    def checked(self) -> Project:
        """What all suites are about."""
        return Project(self.contracts, self.plan)

    def _holds(self, suite: Suite) -> bool:
        return suite.table in self.plan.project.models if suite.system == PUBLISHED else suite.system in self.contracts


@cache
def share_of(namespace: Namespace) -> Share:
    """What the warehouses of a namespace hold."""
    return Share(namespace.tenants_of)


def namespaces() -> list[Namespace]:
    """Those that there are: the default one, and one for each system with tenants."""
    return [DEFAULT, *(of_tenants(system) for system, contract in load_contracts().items() if contract.tenants)]


def without_systems(manifest: Mapping[str, Any], systems: frozenset[str] | set[str]) -> dict[str, dict[str, Any]]:
    """The parts of a manifest without what reads raw tables of some systems, through whatever models."""
    gone = {key for key, source in manifest["sources"].items() if source["source_name"] in systems}
    new = {*gone}
    while new:
        new = {child for key in new for child in manifest["child_map"][key]} - gone
        gone |= new
    nodes = {part: {key: node for key, node in manifest[part].items() if key not in gone} for part in _NODES}
    edges = {
        part: {key: [other for other in others if other not in gone] for key, others in manifest[part].items() if key not in gone}
        for part in _EDGES
    }
    return {**nodes, **edges}
