"""Which of the selected nodes a build of a refresh needs.

dbt selects nodes by what they are. Which of them a refresh has to build is known when it has begun: `RUNMART_ONLY` names the models. A test
is needed if a model that it reads is. dbt's own `--exclude` would take with a model all tests that read it beside others.

Belongs here: narrowing dbt's selection. Does not belong here: what has to be built (`dagster_project.marts.postgres.engine`).
"""

import os
from typing import Any

from dbt.graph.selector import NodeSelector

ONLY = "RUNMART_ONLY"

_SELECTED = NodeSelector.get_selected


def narrow_selection() -> None:
    """Let every selection be narrowed, in processes that are told to what."""
    NodeSelector.get_selected = _narrowed  # type: ignore[method-assign, assignment]


def _narrowed(selector: NodeSelector, *given: Any, **named: Any) -> set[Any]:  # noqa: ANN401
    nodes = _SELECTED(selector, *given, **named)
    only = os.environ.get(ONLY)
    return nodes if only is None else {node for node in nodes if _is_needed(selector, node, {*only.split()})}


def _is_needed(selector: NodeSelector, unique_id: str, models: set[str]) -> bool:
    kind, _, rest = unique_id.partition(".")
    if kind == "model":
        return rest.rpartition(".")[2] in models
    if kind != "test":
        return True
    behind = selector.manifest.nodes[unique_id].depends_on_nodes
    return any(parent.rpartition(".")[2] in models for parent in behind if parent.startswith("model."))
