"""The made-up control database of the LLM workflow: what `fill` writes, once, and that it leaves tenants to others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.demo.llm_control import FillSummary, fill
from tests.databases import run as rows
from tests.integration.demo.conftest import query


@pytest.fixture
def url(new_database: Callable[[str], str]) -> str:
    return new_database("llm_control")


def test_every_default_has_one_active_model(url: str, tmp_path: Path) -> None:
    lines: list[str] = []
    assert fill(url, tmp_path, lines.append) == FillSummary(providers=3, models=7, defaults=4)
    assert lines == ["made up: 3 providers, 7 models and 4 defaults of steps added"]
    found = query(
        url,
        "select d.step, count(*) as models from step_llm_defaults d join llm_models m using (provider_id, model_class) where m.is_active"
        " group by d.step order by d.step",
    )
    assert found.to_numpy().tolist() == [["draft", 1], ["keywords", 1], ["outline", 1], ["review", 1]]
    assert sorted(query(url, "select id from llm_providers")["id"]) == ["claude", "gemini", "openai"]
    assert list(tmp_path.iterdir()) == []


def test_tenants_are_added_by_others(url: str, tmp_path: Path) -> None:
    fill(url, tmp_path, lambda _: None)
    assert query(url, "select * from tenants").empty


def test_a_second_fill_adds_only_what_is_missing(url: str, tmp_path: Path) -> None:
    fill(url, tmp_path, lambda _: None)
    rows(url, "update llm_models set is_active = false where model_name = 'gpt-5'")
    rows(url, "delete from step_llm_defaults where step = 'draft'")
    assert fill(url, tmp_path, lambda _: None) == FillSummary(providers=0, models=0, defaults=1)
    assert query(url, "select is_active from llm_models where model_name = 'gpt-5'")["is_active"].tolist() == [False]
    assert len(query(url, "select * from step_llm_defaults")) == 4
