"""Agreement of the pages with each other and with what they list: links lead somewhere, no command is left out.

Belongs here: what can be read off the pages. Does not belong here: what they say of the marts (`test_mart_pages`), and whether their
examples are true (`tests/e2e/test_readme.py`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from dagster_project.cli import app
from dagster_project.settings import PROJECT_ROOT
from tests.pages import PAGES, README, anchors, links, name_of


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def broken_links(page: Path) -> list[str]:
    """Links of a page to files or headings that there are not; those to other servers are not looked at."""
    return [link for link in links(read(page)) if "://" not in link and not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page
    return target.exists() and (not anchor or anchor in anchors(read(target)))


def command_lines(typed: Any, name: str) -> Iterator[str]:  # noqa: ANN401 (typer does not export the type)
    """The command and those below it, as they are typed."""
    below = getattr(typed, "commands", {})
    # A word with words below it is a command too if it has options; of `runmart` itself that is `--version`.
    if not below or (" " in name and typed.params):
        yield name
    for word, command in below.items():
        yield from command_lines(command, f"{name} {word}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Other\n", encoding="utf-8")
    page = tmp_path / "page.md"
    right, wrong = ["other.md", "other.md#other", "#a-title-with-code"], ["nothing.md", "#a-title", "other.md#no_mart"]
    page.write_text(f"# A title: with `code`\n\n{' '.join(f'[x]({link})' for link in right + wrong)}\n", encoding="utf-8")
    assert broken_links(page) == wrong


def test_links_in_tables_and_images_are_looked_at(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("| a |\n|---|\n| [x](nothing.md) |\n\n![y](nothing.png)\n", encoding="utf-8")
    assert broken_links(page) == ["nothing.md", "nothing.png"]


def test_architecture_lists_every_decision() -> None:
    page = PROJECT_ROOT / "docs" / "architecture.md"
    decisions = read(page).partition("## Decisions")[2]
    assert list(links(decisions)) == sorted(f"adr/{path.name}" for path in (page.parent / "adr").glob("*.md"))


def test_readme_lists_every_command() -> None:
    listed = re.findall(r"^\| `(runmart(?: [a-z][a-z-]*)+)", read(README), re.MULTILINE)
    assert sorted(listed) == sorted(command_lines(typer.main.get_command(app), "runmart"))
