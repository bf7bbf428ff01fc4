"""What the README and `docs/marts.md` say of the marts is what the marts say of themselves.

`pytest tests/contract/test_mart_pages.py --rewrite` writes it into the pages.

Belongs here: that nothing is missing or stale. Does not belong here: how it is written (`tests/mart_pages.py`), and whether the examples
print what is shown (`tests/e2e/test_readme.py`).
"""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.settings import DBT_PROJECT
from tests.dbt_manifest import Manifest, Node, models_of, project_manifest
from tests.mart_pages import MARTS_PAGE, NothingToSay, marts_in, with_marts
from tests.pages import README, blocks, headings, links, name_of

MARTS = sorted(path.stem for path in (DBT_PROJECT / "models" / "marts").rglob("*.sql"))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """The sections of the page of the marts, by mart."""
    return {section.partition("\n")[0]: section for section in re.split(r"^### ", read(MARTS_PAGE), flags=re.MULTILINE)[1:]}


def described(mart: str) -> dict[str, Any]:
    """What the file beside a mart says of it, read without dbt."""
    (path,) = (DBT_PROJECT / "models" / "marts").rglob(f"{mart}.yml")
    (model,) = yaml.safe_load(read(path))["models"]
    return dict(model)


def changed(change: Callable[[Node], Any], mart: str = "fct_runs") -> Manifest:
    """The manifest after a change of a mart."""
    manifest = deepcopy(project_manifest())
    change(models_of(manifest)[mart])
    return manifest


@pytest.mark.parametrize("page", [README, MARTS_PAGE], ids=name_of)
def test_pages_say_what_the_marts_say(page: Path, request: pytest.FixtureRequest) -> None:
    written = with_marts(page, read(page), project_manifest())
    if request.config.getoption("--rewrite"):
        page.write_text(written, encoding="utf-8")
    assert read(page) == written, f"{name_of(page)} is stale; `pytest tests/contract/test_mart_pages.py --rewrite` writes it"


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (lambda mart: mart.update(description="One row per run."), [MARTS_PAGE]),
        (lambda mart: mart["columns"]["status"].update(description="How it went."), [MARTS_PAGE]),
        (lambda mart: mart["columns"]["status"].update(data_type="varchar(20)"), [MARTS_PAGE]),
        (lambda mart: mart["columns"].pop("status"), [MARTS_PAGE]),
        (lambda mart: mart["config"]["meta"].update(example="select 1\nfrom analytics.fct_runs;"), [MARTS_PAGE]),
        (lambda mart: mart["config"]["meta"].update(not_run="there are no runs"), [MARTS_PAGE]),
        (lambda mart: mart["config"]["meta"].update(question="What ran?"), [README, MARTS_PAGE]),
        (lambda mart: mart.update(path="marts/pipe_service/fct_runs.sql"), [README, MARTS_PAGE]),
        (lambda mart: mart.update(name="fct_executions"), [README, MARTS_PAGE]),
        (lambda mart: mart.update(schema="kept"), [README, MARTS_PAGE]),
    ],
    ids=["description", "column", "type", "no column", "example", "not run", "question", "system", "name", "no mart"],
)
def test_a_page_is_stale_after_a_change_of_a_mart(change: Callable[[Node], Any], stale: list[Path]) -> None:
    manifest = changed(change)
    assert [page for page in (README, MARTS_PAGE) if with_marts(page, read(page), manifest) != read(page)] == stale


@pytest.mark.parametrize("page", [README, MARTS_PAGE], ids=name_of)
def test_what_somebody_writes_among_the_marts_is_stale(page: Path) -> None:
    text = read(page).replace(described("fct_runs")["config"]["meta"]["question"], "What ran?")
    assert text != read(page) == with_marts(page, text, project_manifest())


def test_answers_and_what_stands_around_the_marts_stay() -> None:
    text = f"{read(MARTS_PAGE)}\nMore.\n".replace("# Marts\n", "# All marts\n")
    (shown,) = (block.text for block in blocks(sections()["dim_date"]) if block.kind == "text")
    text = text.replace(shown, "another answer\n")
    assert with_marts(MARTS_PAGE, text, project_manifest()) == text


def test_an_example_that_was_never_run_has_an_empty_answer() -> None:
    manifest = changed(lambda mart: mart.update(name="fct_executions"))
    written = with_marts(MARTS_PAGE, read(MARTS_PAGE), manifest).partition("### fct_executions\n")[2]
    assert [block.text for block in blocks(written)][1] == ""


@pytest.mark.parametrize("needed", ["question", "example"])
@pytest.mark.parametrize("change", [lambda meta, needed: meta.pop(needed), lambda meta, needed: meta.update({needed: " "})])
def test_a_mart_that_says_nothing_is_named(needed: str, change: Callable[[Any, str], Any]) -> None:
    manifest = changed(lambda mart: change(mart["config"]["meta"], needed))
    with pytest.raises(NothingToSay, match=f"mart fct_runs has no {needed}; .* models/marts/shared/fct_runs"):
        marts_in(manifest)


def test_a_page_without_marks_is_named() -> None:
    with pytest.raises(NothingToSay, match=r"docs/marts\.md needs these two lines"):
        with_marts(MARTS_PAGE, "# Marts\n", project_manifest())


def test_every_mart_has_its_section_and_is_found_from_the_readme() -> None:
    linked = [link.partition("#")[2] for link in links(read(README)) if link.startswith("docs/marts.md#")]
    assert sorted(sections()) == sorted(linked) == MARTS
    assert {*MARTS} <= {*headings(read(MARTS_PAGE))}


@pytest.mark.parametrize("mart", MARTS)
def test_a_section_says_what_stands_beside_the_mart(mart: str) -> None:
    model, section = described(mart), sections()[mart]
    assert model["config"]["meta"]["question"] in section
    assert model["description"].strip() in section.replace("`", "")
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    columns = [column["name"] for column in model["columns"]]
    history_of = model["config"]["meta"].get("history_of")
    left_out = {"refreshed_at", "source_batch_id", *(column["name"] for column in (described(history_of)["columns"] if history_of else ()))}
    assert named == [column for column in columns if column not in left_out]


def test_the_example_of_a_mart_reads_it() -> None:
    for mart, section in sections().items():
        assert re.search(rf"^from analytics\.{mart}$", section, re.MULTILINE), mart
