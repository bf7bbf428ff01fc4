"""What dbt's manifest says of the marts: their names, columns and grain, and what stands behind them.

Belongs here: reading a manifest. Does not belong here: what the tests hold of it.
"""

import json
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, TypeAlias

from dagster_project.resources.manifest import ensure_manifest
from dagster_project.resources.share import share_of
from dagster_project.warehouse import DEFAULT

Node: TypeAlias = dict[str, Any]
Manifest: TypeAlias = dict[str, Any]

OF_THE_PROJECT = "model.runmart."


@cache
def project_manifest() -> Manifest:
    """The manifest of the project as it stands; parses it if a file is newer."""
    manifest: Manifest = json.loads(ensure_manifest().read_text(encoding="utf-8"))
    return manifest


def shared_manifest() -> Manifest:
    """The same as far as it concerns the shared warehouse."""
    return {**share_of(DEFAULT).manifest}


def models_of(manifest: Manifest) -> dict[str, Node]:
    """The project's models by name."""
    return {node["name"]: node for key, node in manifest["nodes"].items() if key.startswith(OF_THE_PROJECT)}


def marts_of(manifest: Manifest, materialized: str | None = None) -> dict[str, Node]:
    """Models that analysts see, by name: all, or those of one materialization (`mart`, `mart_view`, `mart_history`)."""
    return {
        name: node
        for name, node in sorted(models_of(manifest).items())
        if node["schema"] == "analytics" and materialized in (None, node["config"]["materialized"])
    }


def kept_of(manifest: Manifest) -> dict[str, Node]:
    """Models of which refreshes keep a table and make anew what changed, by name, whether analysts see them or not."""
    return {name: node for name, node in sorted(models_of(manifest).items()) if node["config"]["materialized"] == "mart"}


def data_tests_of(manifest: Manifest, model: Node) -> list[Node]:
    """The generic tests of a model."""
    return [node["test_metadata"] for node in manifest["nodes"].values() if node.get("attached_node") == model["unique_id"]]


def grain_of(manifest: Manifest, model: Node) -> list[str]:
    """The columns that identify a row of a model, by its key test, or as a view of models that are tested says."""
    tests = data_tests_of(manifest, model)
    several = [test["kwargs"]["columns"] for test in tests if test["name"] == "unique_grain"]
    single = [[test["kwargs"]["column_name"]] for test in tests if test["name"] == "unique"]
    return list((several + single or [model["config"]["meta"]["grain"]])[0])


def behind(manifest: Manifest, names: Iterable[str], but: Collection[str] = ()) -> set[str]:
    """Identifiers of all that models are made of, themselves included: models and sources.

    Args:
        manifest: The manifest.
        names: Names of models.
        but: What the names of models begin with that are not looked through.
    """
    found: set[str] = set()
    new = {models_of(manifest)[name]["unique_id"] for name in names}
    while new:
        found |= new
        parents = {parent for key in new if key in manifest["nodes"] for parent in manifest["nodes"][key]["depends_on"]["nodes"]}
        new = {parent for parent in parents if not parent.removeprefix(OF_THE_PROJECT).startswith(tuple(but))} - found
    return found


def source_tables(manifest: Manifest, identifiers: Iterable[str]) -> set[tuple[str, str]]:
    """System and table of the sources among identifiers."""
    sources = (manifest["sources"][key] for key in identifiers if key in manifest["sources"])
    return {(source["source_name"], source["name"]) for source in sources}
