"""YAML as a person would write it: short lists on one line, long ones wrapped.

Belongs here: turning values into text. Does not belong here: what the files say.
"""

from collections.abc import Iterable, Mapping

import yaml

_WIDTH = 140


def scalar(text: str) -> str:
    """A string that stays one wherever it stands: quoted if YAML would read it as something else."""
    return yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=float("inf")).strip()[1:-1]


def flow_list(entry: str, values: Iterable[str]) -> str:
    """`entry: [a, b]`; goes on in the next line, two spaces deeper than the entry, where it would become too long."""
    return _wrapped(f"{entry}: [", [scalar(value) for value in values], "]")


def flow_mapping(entry: str, values: Mapping[str, str]) -> str:
    """`entry: {a: b, c: d}`, wrapped like a list."""
    return _wrapped(f"{entry}: {{", [f"{scalar(key)}: {scalar(value)}" for key, value in values.items()], "}")


def _wrapped(opening: str, items: list[str], closing: str) -> str:
    indent = " " * (len(opening) - len(opening.lstrip()) + 2)
    lines = [opening]
    for number, item in enumerate(items):
        piece = item + (closing if number == len(items) - 1 else ",")
        space = "" if lines[-1].endswith(("[", "{")) else " "
        if len(lines[-1]) + len(space) + len(piece) <= _WIDTH:
            lines[-1] += space + piece
        else:
            lines.append(indent + piece)
    return "\n".join(lines) if items else opening + closing
