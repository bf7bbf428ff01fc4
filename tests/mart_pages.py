"""What the pages say of the marts, written from what the marts say of themselves: the table in the README, the sections of `docs/marts.md`.

Belongs here: Markdown made of dbt's manifest. Does not belong here: whether the pages of the checkout say it
(`tests/contract/test_mart_pages.py`), and what the examples print, which stays as `tests/e2e/test_readme.py` has written it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from dagster_project.contracts.loading import load_contracts
from dagster_project.marts.postgres.candidates import OF_THE_REFRESH
from dagster_project.settings import PROJECT_ROOT
from tests.dbt_manifest import Manifest, Node, grain_of, marts_of
from tests.pages import README, blocks, name_of

MARTS_PAGE = PROJECT_ROOT / "docs" / "marts.md"

_BEGIN = "<!-- from here, written from dbt_project/models/marts/ by `pytest tests/contract/test_mart_pages.py --rewrite` -->\n"
_END = "<!-- to here -->\n"
_NAME = re.compile(r"(?<!`)\b[a-z][a-z0-9]*(?:[_.][a-z0-9]+)+\b(?!`)")
_SHARED = "shared"
_OF_SHARED = "## Several systems\n\nWhat several systems have in common, and what Runmart records of itself.\n"


class NothingToSay(Exception):
    """A mart does not say what its readers must know, or a page has no place for it; the message says what to add, and where."""


@dataclass(frozen=True)
class Mart:
    """A mart as its readers get to know it.

    Attributes:
        name: Its name.
        system: The system that it is of, or `shared`.
        description: What a row is.
        key: The columns that identify a row.
        columns: By name, type and description; of a history those that its mart does not have. Those of the refresh are left out.
        history_of: The mart whose versions it keeps, or empty.
        question: What it answers.
        example: A query that asks it.
        not_run_because: Why the demo cannot answer the example, or empty.
    """

    name: str
    system: str
    description: str
    key: tuple[str, ...]
    columns: Mapping[str, tuple[str, str]]
    history_of: str
    question: str
    example: str
    not_run_because: str


def marts_in(manifest: Manifest) -> list[Mart]:
    """The marts in the order of the pages: those of several systems, then system by system.

    Raises:
        NothingToSay: A mart has no question or no example.
    """
    nodes = marts_of(manifest)
    marts = [_mart(manifest, node, nodes) for node in nodes.values()]
    return sorted(marts, key=lambda mart: (mart.system != _SHARED, mart.system, mart.name))


def _mart(manifest: Manifest, node: Node, nodes: Mapping[str, Node]) -> Mart:
    meta = node["config"]["meta"]
    for needed in ("question", "example"):
        if not str(meta.get(needed, "")).strip():
            raise NothingToSay(f"mart {node['name']} has no {needed}; write it under config.meta in {node['original_file_path']}")
    history_of = meta.get("history_of", "")
    known = {*OF_THE_REFRESH, *(nodes[history_of]["columns"] if history_of else ())}
    return Mart(
        name=node["name"],
        system=Path(node["path"]).parts[1],
        description=node["description"].strip(),
        key=tuple(grain_of(manifest, node)),
        columns={name: (column["data_type"], column["description"]) for name, column in node["columns"].items() if name not in known},
        history_of=history_of,
        question=meta["question"],
        example=meta["example"].strip(),
        not_run_because=meta.get("not_run", ""),
    )


def with_marts(page: Path, text: str, manifest: Manifest) -> str:
    """The text of a page with what the marts say now; answers of examples, and what stands outside the two marks, stay.

    Raises:
        NothingToSay: A mart has no question or no example, or the page has no marks.
    """
    head, begin, rest = text.partition(_BEGIN)
    before, end, tail = rest.partition(_END)
    if not begin or not end:
        raise NothingToSay(f"{name_of(page)} needs these two lines, between which the marts are written:\n{_BEGIN}{_END}")
    marts = marts_in(manifest)
    written = _table(marts) if page == README else _sections(marts, dict(_answers(before)))
    return f"{head}{begin}\n{written}\n{end}{tail}"


def _table(marts: Sequence[Mart]) -> str:
    """Which mart answers which question."""
    rows = [f"| {_cell(mart.question)} | [{mart.name}](docs/marts.md#{mart.name}) | {_of(mart)} |" for mart in marts]
    return "\n".join(["| Question | Mart | System |", "|---|---|---|", *rows]) + "\n"


def _sections(marts: Sequence[Mart], answers: Mapping[str, str]) -> str:
    parts = []
    for system, of_system in groupby(marts, key=lambda mart: mart.system):
        heading = _OF_SHARED if system == _SHARED else f"## {system}\n\n{load_contracts()[system].description}\n"
        parts += [heading, *(_section(mart, answers.get(mart.name, "```text\n```\n")) for mart in of_system)]
    return "\n".join(parts)


def _answers(text: str) -> Iterator[tuple[str, str]]:
    """By mart, the block with the answer of its example."""
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        for block in blocks(section):
            if block.kind == "text":
                yield section.partition("\n")[0], f"```{f'text {block.note}'.strip()}\n{block.text}```\n"


def _section(mart: Mart, answer: str) -> str:
    query = f"```sql\n{mart.example}\n```\n"
    example = f"<!-- not run: {mart.not_run_because} -->\n{query}" if mart.not_run_because else query + answer
    key = ", ".join(f"`{column}`" for column in mart.key)
    said = [f"### {mart.name}", f"**{mart.question}**", _prose(mart.description), f"Key: {key}. System: {_of(mart)}.", _columns(mart)]
    return "\n\n".join([*said, example])


def _columns(mart: Mart) -> str:
    also = f"All columns of [{mart.history_of}](#{mart.history_of}), and:\n\n" if mart.history_of else ""
    rows = [f"| `{name}` | {kind} | {_cell(said)} |" for name, (kind, said) in mart.columns.items()]
    table = "\n".join(["| Column | Type | Meaning |", "|---|---|---|", *rows])
    return f"<details>\n<summary>Columns</summary>\n\n{also}{table}\n\n</details>"


def _of(mart: Mart) -> str:
    return "several" if mart.system == _SHARED else mart.system


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def _prose(text: str) -> str:
    """A description, which is plain text, with its names as code."""
    return _NAME.sub(r"`\g<0>`", text)
