"""What dbt does at each start that need not be done each time.

Belongs here: doing it ahead, in a process that starts dbt by forking itself, and leaving out what a refresh has no reader for. Does not
belong here: that process (`dagster_project.warm_process`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dbt.task.build  # noqa: F401
from dbt.cli.main import cli, dbtRunner
from dbt.compilation import Compiler, Linker
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ParsedNode
from dbt.task.runnable import GraphRunnableTask
from dbt_common.clients.jinja import template_cache

from dagster_project.places import DBT_AHEAD_VARIABLE
from dbt_runmart.connections import DATABASE
from dbt_runmart.selection import ONLY, SYSTEMS

# Names the refresh that a build belongs to.
REFRESH = "RUNMART_REFRESH"

# Each start has its own of these, and nothing that is parsed asks for them.
_OF_A_START = (REFRESH, ONLY, DATABASE, SYSTEMS, DBT_AHEAD_VARIABLE)

_write_manifest = Manifest.write
_write_graph = Linker.write_graph
_write_compiled = Compiler._write_node  # noqa: SLF001
_write_node = ParsedNode.write_node
_create_schemas = GraphRunnableTask.create_schemas


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RUNMART_") and name not in _OF_A_START}


@dataclass(frozen=True)
class Parsed:
    """A project as this process has parsed it.

    Attributes:
        manifest: What it is made of.
        environment: The variables that it may have asked for.
    """

    manifest: Manifest
    environment: Mapping[str, str] = field(default_factory=_environment)


def parse_ahead(project: Path, target: Path) -> Parsed | None:
    """Parse a project once, so that this process has made all that parsing needs: classes, templates, the adapter.

    A project that does not parse is none of this function's business: dbt says so when it is started.

    Args:
        project: Folder of the project and its profile.
        target: The folder in which dbt keeps what it has parsed.

    Returns:
        What was parsed; None if the project does not parse.
    """
    folders = ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(target), "--log-path", str(target)]
    parsed = dbtRunner().invoke(["--quiet", "--log-level-file", "none", "--no-write-json", "parse", *folders]).result
    return Parsed(parsed) if isinstance(parsed, Manifest) else None


def compile_macros(parsed: Parsed) -> None:
    """Compile all macros of a project; dbt keeps each by its text. That takes seconds, and a refresh uses a tenth of them."""
    for macro in parsed.manifest.macros.values():
        template_cache.get_node_template(macro)


def run(parsed: Parsed | None) -> None:
    """Run dbt as its command line does.

    Args:
        parsed: The project, which is not parsed again by a refresh in the same environment. Whoever starts dbt so answers for its files.
    """
    if parsed and REFRESH in os.environ and parsed.environment == _environment():
        cli(obj={"manifest": parsed.manifest})
    else:
        cli()


def write_less() -> None:
    """Let a refresh leave out files that it does not read, and schemas, which the engine has made; `dbt` by itself makes them all."""
    Manifest.write = _unless_refreshing(_write_manifest)  # type: ignore[method-assign]
    Linker.write_graph = _unless_refreshing(_write_graph)  # type: ignore[method-assign]
    Compiler._write_node = _unless_refreshing(_write_compiled)  # type: ignore[method-assign]  # noqa: SLF001
    ParsedNode.write_node = _unless_refreshing(_write_node)  # type: ignore[method-assign]
    GraphRunnableTask.create_schemas = _unless_refreshing(_create_schemas)  # type: ignore[method-assign]


def _unless_refreshing(write: Any) -> Any:  # noqa: ANN401
    def written(self: object, first: Any = None, *arguments: object, **named: object) -> Any:  # noqa: ANN401
        return write(self, first, *arguments, **named) if REFRESH not in os.environ else first

    return written
