"""Which of the selected nodes a command needs.

dbt selects nodes by what they are. Who starts dbt knows which systems a warehouse has: `RUNMART_DBT_SYSTEMS` names them, and what reads raw
tables of others is left out. Which nodes a refresh has to build is known when it has begun: `RUNMART_ONLY` names the models. A test is
needed if a model that it reads is. dbt's own `--exclude` would take with a model all tests that read it beside others.

Belongs here: narrowing dbt's selection. Does not belong here: what has to be built (`dagster_project.marts.postgres.engine`).
"""

import os
from collections.abc import Collection
from typing import Any

from dbt.graph.selector import NodeSelector

ONLY = "RUNMART_ONLY"
SYSTEMS = "RUNMART_DBT_SYSTEMS"

_RAW = "raw_"

_SELECTED = NodeSelector.get_selected


def narrow_selection() -> None:
    """Let every selection be narrowed, in processes that are told to what."""
    NodeSelector.get_selected = _narrowed  # type: ignore[method-assign, assignment]


def _narrowed(selector: NodeSelector, *given: Any, **named: Any) -> set[Any]:  # noqa: ANN401
    nodes = _SELECTED(selector, *given, **named)
    systems, only = os.environ.get(SYSTEMS), os.environ.get(ONLY)
    if only is not None:
        return {node for node in nodes if _is_needed(selector, node, {*only.split()})}
    return nodes - _of_others(selector, {*systems.split()}) if systems else nodes


def _of_others(selector: NodeSelector, systems: Collection[str]) -> set[Any]:
    """Raw tables of other systems than these, and what reads them through whatever models."""
    raw = {key: each.source_name for key, each in selector.manifest.sources.items() if each.schema.startswith(_RAW)}
    sources = {node for node in selector.full_graph.nodes() if node in raw and raw[node] not in systems}
    return sources | selector.full_graph.select_children(sources)


def _is_needed(selector: NodeSelector, unique_id: str, models: set[str]) -> bool:
    kind, _, rest = unique_id.partition(".")
    if kind == "model":
        return rest.rpartition(".")[2] in models
    if kind != "test":
        return True
    behind = selector.manifest.nodes[unique_id].depends_on_nodes
    return any(parent.rpartition(".")[2] in models for parent in behind if parent.startswith("model."))
