"""Imports of the package go downwards only, so no two of its packages need each other, and its lower half knows nothing of Dagster."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dagster_project

PACKAGE = "dagster_project"

# From the bottom up. What stands in one line knows nothing of its neighbours: it imports from lower lines only.
LAYERS = (
    ("errors", "words", "suggestions", "short_lived", "terminal", "places"),
    ("settings", "warm"),
    ("contracts", "postgres"),
    ("warehouse",),
    ("ingestion", "marts", "upkeep"),
    ("quality",),
    ("scaffold",),
    ("internals",),
    ("resources",),
    ("components", "demo"),
    ("defs",),
    ("definitions",),
    ("commands",),
    ("failures", "results", "import_results", "source_cli"),
    ("job_runs",),
    ("check_cli", "tenant_cli"),
    ("cli",),
    ("start",),
    ("warm_process", "dbt_process"),
)

# The first layer that may import Dagster.
_DAGSTER_FROM = "internals"


def imports(root: Path) -> Iterator[tuple[Path, int, str]]:
    """File, line and name of every module that a module of the package imports, within functions and for types too."""
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
                yield from ((path, node.lineno, f"{PACKAGE}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, node.lineno, "." * node.level + (node.module or "")


def violations(root: Path, layers: Sequence[Sequence[str]], dagster_from: str) -> list[str]:
    """What is against the order, each with its file and line; parts of the package that the order does not know too."""
    height = {part: number for number, layer in enumerate(layers) for part in layer}
    parts = {_part(root, path) for path in root.rglob("*.py") if path != root / "__init__.py"}
    found = [f"{part} stands in no layer" for part in sorted(parts - height.keys())]
    found += [f"there is no {part}" for part in sorted(height.keys() - parts)]
    for path, line, name in imports(root):
        here = height.get(_part(root, path), -1)
        if _is_against(name, _part(root, path), height, here >= height[dagster_from]):
            found.append(f"{path.relative_to(root).as_posix()}:{line} imports {name}")
    return found


def _is_against(name: str, part: str, height: Mapping[str, int], may_know_dagster: bool) -> bool:
    top, _, rest = name.partition(".")
    if not top:
        return True  # Relative imports hide where they go.
    if top.startswith("dagster") and top != PACKAGE:
        return not may_know_dagster
    other = rest.partition(".")[0]
    return top == PACKAGE and other != part and height.get(other, len(height)) >= height.get(part, -1)


def _part(root: Path, path: Path) -> str:
    """The package within the package, or the module at its top, that a file belongs to."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def test_imports_go_downwards() -> None:
    root = Path(dagster_project.__file__).parent
    assert violations(root, LAYERS, _DAGSTER_FROM) == []
    # Each part was looked at: the walk has found what everybody knows to be there.
    seen = {(path.relative_to(root).as_posix(), name) for path, _, name in imports(root)}
    assert ("cli.py", "dagster_project.resources.databases") in seen
    assert ("resources/warehouse.py", "dagster") in seen


MADE_UP = {
    "__init__.py": "",
    "words.py": "import re\n",
    "low/__init__.py": "",
    "low/one.py": "from dagster_project.words import size\nfrom dagster_project.low import two\n",
    "low/two.py": "",
    "low_too/__init__.py": "",
    "high/__init__.py": "",
    "high/one.py": "import dagster as dg\nfrom dagster_project import low\nimport dagster_project.low_too\n",
}
MADE_UP_LAYERS = (("words",), ("low", "low_too"), ("high",))


def make(root: Path, **changed: str) -> list[str]:
    """Write the made-up package with some files changed (`__` for a slash), and look at it."""
    for name, text in {**MADE_UP, **{f"{name.replace('__', '/')}.py": text for name, text in changed.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return violations(root, MADE_UP_LAYERS, "high")


def test_order_that_is_kept_is_accepted(tmp_path: Path) -> None:
    assert make(tmp_path) == []


def test_import_upward_is_found(tmp_path: Path) -> None:
    assert make(tmp_path, low__two="def late() -> None:\n    from dagster_project.high.one import dg\n") == [
        "low/two.py:2 imports dagster_project.high.one"
    ]


def test_circle_of_neighbours_is_found(tmp_path: Path) -> None:
    found = make(tmp_path, low__two="from dagster_project import low_too\n", low_too__one="import dagster_project.low.two\n")
    assert found == ["low/two.py:1 imports dagster_project.low_too", "low_too/one.py:1 imports dagster_project.low.two"]


def test_dagster_below_its_layer_and_relative_imports_are_found(tmp_path: Path) -> None:
    found = make(tmp_path, low__two="from dagster._core import x\nimport dagster_dbt\nfrom . import one\n")
    assert found == ["low/two.py:1 imports dagster._core", "low/two.py:2 imports dagster_dbt", "low/two.py:3 imports ."]


def test_part_that_stands_in_no_layer_is_found(tmp_path: Path) -> None:
    assert make(tmp_path, new__one="from dagster_project import low\n") == [
        "new stands in no layer",
        "new/one.py:1 imports dagster_project.low",
    ]
