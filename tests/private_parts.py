"""Private parts of Dagster, dagster-dbt and dbt: which names they are, where a file uses them, and whether they still are what they were.

Belongs here: what the tests of the adapters share. Does not belong here: the parts themselves (`tests/unit/internals`).
"""

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from dagster_project.settings import PROJECT_ROOT

# Where what is private of a library stands, and nowhere else; a module or a package.
ADAPTERS = {
    "dagster": "dagster_project/internals/dagster.py",
    "dagster_dbt": "dagster_project/internals/dagster_dbt.py",
    "dagster_postgres": "dagster_project/internals/dagster_postgres.py",
    "dbt": "dbt_runmart",
}

# What dbt documents: how it is run from Python, what that gives, and the classes of its adapter. All else may move.
_PUBLIC_OF_DBT = {
    "dbt.cli.main",
    "dbt.artifacts.schemas.run",
    "dbt.contracts.graph.manifest",
    "dbt.contracts.graph.nodes",
    "dbt.adapters.postgres.connections",
    "dbt.adapters.postgres.impl",
    "dbt.adapters.postgres.relation",
}


def is_private(name: str) -> bool:
    """Whether a name, with all modules on its way, is one that its library may move without a word."""
    library, *rest = name.split(".")
    if library == "dbt":
        return not {name, name.rpartition(".")[0]} & _PUBLIC_OF_DBT
    return _is_of_dagster(library) and any(_is_underscored(part) for part in rest)


def private_parts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each private part that a file imports, reaches through what it imports, or overrides."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {local: name for node in ast.walk(tree) for local, name in _imported(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):
            yield from ((node.lineno, name) for name in _used(node, imported) if is_private(name))


def _used(node: ast.AST, imported: Mapping[str, str]) -> Iterator[str]:
    yield from (name for _, name in _imported(node))
    if isinstance(node, ast.Attribute) and _is_underscored(node.attr):
        yield _dotted(node, imported)
    elif isinstance(node, ast.ClassDef):
        yield from _overridden(node, imported)


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """What a node imports: the name that it has in the file, and its own."""
    if isinstance(node, ast.Import):
        yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.expr, imported: Mapping[str, str]) -> str:
    """A name as its library has it; empty if it is none of what is imported."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, imported)}.{node.attr}"
    return imported.get(node.id, "") if isinstance(node, ast.Name) else ""


def _overridden(node: ast.ClassDef, imported: Mapping[str, str]) -> Iterator[str]:
    own = [each.name for each in node.body if isinstance(each, ast.FunctionDef) and _is_underscored(each.name)]
    for parent in (_dotted(base, imported) for base in node.bases):
        if own and (parent.startswith("dbt.") or _is_of_dagster(parent.partition(".")[0])):
            yield from (f"{parent}.{name}" for name in own if hasattr(resolve_name(parent), name))


def _is_of_dagster(library: str) -> bool:
    return library == "dagster" or (library.startswith("dagster_") and library != "dagster_project")


def _is_underscored(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


@dataclass(frozen=True)
class Part:
    """A private part.

    Attributes:
        name: Its modules and its name, with a colon between.
        use: What Runmart does with it.
        fits: Told the part, whether it is what Runmart takes it for; false or an error if not.
    """

    name: str
    use: str
    fits: Callable[[Any], object]

    def complaint(self) -> str | None:
        """What is no longer as it was; None if all is well."""
        try:
            found = resolve_name(self.name)
        except (ImportError, AttributeError) as error:
            return f"is gone ({error})"
        try:
            return None if self.fits(found) else f"has another shape ({found!r})"
        except (TypeError, AttributeError) as error:
            return f"has another shape ({error})"


def takes(*arguments: object, **named: object) -> Callable[[Any], object]:
    """A part that can be called with these arguments: so many by position, and those by name."""
    return lambda found: inspect.signature(found).bind(*arguments, **named)


def has(*attributes: str) -> Callable[[Any], object]:
    """A class with these attributes, or with annotations that give them to its objects."""
    return lambda found: {*attributes} <= {*dir(found)}.union(*(inspect.get_annotations(each) for each in inspect.getmro(found)))


def moved(distribution: str, adapter: str, parts: Iterable[Part]) -> list[str]:
    """A line for each part that is not as it was: the version that is installed, the part, and what Runmart needs it for."""
    library = f"{distribution} {version(distribution)}"
    found = ((part, part.complaint()) for part in parts)
    return [f"{library}: {part.name} {complaint}; {adapter} needs it to {part.use}" for part, complaint in found if complaint]


def untold(adapter: str, parts: Iterable[Part]) -> set[str]:
    """Private parts that an adapter uses and that are not among the parts."""
    path = PROJECT_ROOT / adapter
    files = path.rglob("*.py") if path.is_dir() else [path]
    return {name for file in files for _, name in private_parts(file)} - {part.name.replace(":", ".") for part in parts}
