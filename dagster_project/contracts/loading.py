"""Contracts from their files, with the line of whatever is wrong.

Belongs here: reading `defs.yaml`, and finding the line of an entry. Does not belong here: what may stand in it (`contract`, `table`,
`problems`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.problems import Location, problems, problems_with_others
from dagster_project.errors import RunmartError
from dagster_project.settings import SOURCES_ROOT


class ContractError(RunmartError):
    """A contract is invalid; the message starts with the file and the line."""


def load_contract(path: Path) -> SystemContract:
    """Read and validate one `defs.yaml`.

    Raises:
        ContractError: The file is missing, is not YAML, or breaks a rule; names the file, the line and the way out.
    """
    root, document = _parse(path)
    repeated = [f"{path}:{line}: {key!r} is declared twice; keep one of them" for line, key in _repeated_keys(root, set())]
    if repeated:
        raise ContractError("\n".join(repeated))
    if not isinstance(document, dict) or not isinstance(document.get("attributes"), dict):
        raise ContractError(f"{path}:1: a contract needs the two entries 'type' and 'attributes'")
    _require_none(path, root, _problems(document["attributes"], path.parent.name))
    return SystemContract.model_validate(document["attributes"])


def load_contracts(root: Path = SOURCES_ROOT) -> dict[str, SystemContract]:
    """Every system's contract by name, from `<root>/<system>/defs.yaml`.

    Raises:
        ContractError: One of them is invalid, by itself or beside the others.
    """
    paths = {path.parent.name: path for path in sorted(root.glob("*/defs.yaml"))}
    contracts = {system: load_contract(path) for system, path in paths.items()}
    for system, contract in contracts.items():
        found = list(problems_with_others(contract, contracts))
        if found:
            _require_none(paths[system], _parse(paths[system])[0], found)
    return contracts


def shared_contracts() -> dict[str, SystemContract]:
    """Contracts of the systems whose rows are in the shared warehouse: those without tenants."""
    return {system: contract for system, contract in load_contracts().items() if contract.tenants is None}


def _require_none(path: Path, root: yaml.Node | None, problems: Sequence[tuple[Location, str]]) -> None:
    """Raise what is wrong with a file, each problem with its line."""
    if problems:
        lines = [f"{path}:{_line(root, ('attributes', *where))}: {'.'.join(map(str, where))}: {what}" for where, what in problems]
        raise ContractError("\n".join(lines))


def _parse(path: Path) -> tuple[yaml.Node | None, object]:
    """The file as nodes, which know their lines, and as values."""
    try:
        loader = yaml.CSafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        return root, loader.construct_document(root) if root else None
    except FileNotFoundError as error:
        raise ContractError(f"{path}: there is no contract; every system needs a defs.yaml") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        # Bytes that are no text, or a value that is none of its type, such as a thirteenth month.
        raise ContractError(f"{path}:1: not valid YAML: {' '.join(str(error).split())}") from error


def _repeated_keys(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[int, str]]:
    """Line and name of every key that its mapping already has; a YAML parser would silently keep the last one."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    yield key.start_mark.line + 1, key.value
                names.add(key.value)
            yield from _repeated_keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, seen)


def _problems(attributes: dict[str, Any], folder: str) -> list[tuple[Location, str]]:
    try:
        contract = SystemContract.model_validate(attributes)
    except ValidationError as error:
        return [(tuple(problem["loc"]), problem["msg"]) for problem in error.errors()]
    return list(problems(contract, folder))


def _line(root: yaml.Node | None, where: Sequence[str | int]) -> int:
    """Line of the deepest node on the way that the document has; a missing entry is reported at its parent."""
    node, line = root, 1
    for step in where:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
