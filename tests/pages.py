"""The Markdown pages of the project as data.

Belongs here: which pages there are, and their fenced blocks, headings and links. Does not belong here: what is expected of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dagster_project.settings import PROJECT_ROOT

README = PROJECT_ROOT / "README.md"
PAGES = [README, *sorted([PROJECT_ROOT / "CONTRIBUTING.md", *(PROJECT_ROOT / "docs").rglob("*.md")])]
# They change the project, so they are followed in a copy of their own, in this order.
GUIDES = [PROJECT_ROOT / "docs" / "adding-a-source.md", PROJECT_ROOT / "docs" / "adding-a-mart.md"]

_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: Number of its first line within the fence, 1 is the first line of the page.
        kind: First word after the fence.
        note: What else stands after the fence.
        text: Its lines, each with its end.
        not_run_because: What the comment `<!-- not run: … -->` ahead of it says, or empty.
    """

    line: int
    kind: str
    note: str
    text: str
    not_run_because: str


def name_of(page: Path) -> str:
    """A page as it is called within the project."""
    return page.relative_to(PROJECT_ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    before = ""
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.map is not None:
            kind, _, note = token.info.strip().partition(" ")
            comment = _NOT_RUN.fullmatch(before)
            yield Block(token.map[0] + 2, kind, note.strip(), token.content, comment[1] if comment else "")
        before = token.content.strip() if token.type == "html_block" else ""


def headings(text: str) -> list[str]:
    """The headings of a page without their marks, in order."""
    tokens = MarkdownIt().parse(text)
    return [_plain(inline) for opening, inline in pairwise(tokens) if opening.type == "heading_open"]


def anchors(text: str) -> set[str]:
    """What a link may name after `#`, as GitHub makes it of the headings."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}


def links(text: str) -> Iterator[str]:
    """Where the links and images of a page lead."""
    for token in MarkdownIt().enable("table").parse(text):
        for child in token.children or ():
            target = child.attrs.get("href") or child.attrs.get("src")
            if target:
                yield str(target)


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())
