"""Whose a language model is, the control database says; where it does not, tenants do. Two systems together make llm_cost."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.commands.explaining import explanation_of
from dagster_project.resources.databases import Databases
from dagster_project.settings import Settings
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import differences_from_rebuild, differences_from_source, refresh

NOW = datetime(2025, 2, 1, tzinfo=UTC)
RUN = "00000000-0000-0000-0000-00000000000{}"
PROVIDERS = "select distinct llm_model, provider from analytics.llm_cost order by 1, 2"


def a_step(number: int, model: str | None, provider: str | None, **more: object) -> dict[str, Any]:
    tokens = {"input_tokens": number, "output_tokens": 2 * number, "cost_usd": number / 8, "price_version": "v1"}
    named = {"tenant_id": "acme", "step_id": number, "run_id": RUN.format(1), "step": "draft", "status": "succeeded"}
    return {
        **named,
        "started_at": "2025-01-01 12:00",
        "llm_model": model,
        "provider": provider,
        "latency_seconds": number,
        **tokens,
        **more,
    }


@pytest.fixture
def filled(house: House) -> Iterator[House]:
    """Three tenants' steps; the control database lists one model once, one under two providers, and one not at all."""
    with house.changing("llm_control"):
        house.empty_others()
        house.fill(
            {
                "llm_providers": [{"id": name, "display_name": name} for name in ("claude", "openai", "azure")],
                "llm_models": [
                    {"id": number, "provider_id": provider, "model_name": model, "model_class": "pro"}
                    for number, (provider, model) in enumerate([("claude", "opus"), ("openai", "gpt-5"), ("azure", "gpt-5")])
                ],
            }
        )
    with house.changing("llm_usage"):
        house.fill(
            {
                "runs": [
                    {"tenant_id": tenant, "run_id": RUN.format(1), "status": status}
                    for tenant, status in (("acme", "succeeded"), ("north", "failed"))
                ],
                "steps": [
                    a_step(1, "opus", "claude"),
                    a_step(2, "opus", None),
                    a_step(3, "gpt-5", "openai"),
                    a_step(4, "gpt-5", None, cost_usd=None),
                    a_step(5, "own", "own servers"),
                    a_step(6, None, None),
                    a_step(1, "opus", "somebody", tenant_id="north"),
                ],
            }
        )
        with house.at(NOW):
            refresh(house)
        yield house
    with house.changing("llm_control"):
        house.empty_others()
        house.fill({})


def test_the_provider_is_the_one_that_lists_the_model_or_the_one_that_is_said(filled: House) -> None:
    assert filled.warehouse(PROVIDERS) == [
        ("gpt-5", "openai"),
        ("gpt-5", "unknown"),
        ("none", "unknown"),
        ("opus", "claude"),
        ("own", "own servers"),
    ]
    assert differences_from_source(filled) == {}


def test_a_model_that_is_listed_later_has_one_provider_from_then_on(filled: House) -> None:
    with filled.changing("llm_control"):
        filled.source("delete from llm_models where provider_id = 'azure'")
        filled.source("insert into llm_models (id, provider_id, model_name, model_class) values (9, 'azure', 'own', 'pro')")
        filled.source("update llm_models set model_name = 'opus 2' where provider_id = 'claude'")
        filled.sync()
    with filled.at(NOW):
        refresh(filled)
    assert filled.warehouse(PROVIDERS) == [
        ("gpt-5", "openai"),
        ("none", "unknown"),
        ("opus", "claude"),
        ("opus", "somebody"),
        ("opus", "unknown"),
        ("own", "azure"),
    ]
    assert differences_from_source(filled) == {}
    with filled.at(NOW):
        assert differences_from_rebuild(filled) == {}


def test_tokens_and_costs_of_all_rows_are_those_of_all_steps(filled: House) -> None:
    sums = "select sum(input_tokens), sum(output_tokens), sum(cost_usd), count(*) filter (where cost_usd is null) from {}"
    (found,) = filled.warehouse(sums.format("analytics.llm_cost"))
    (handed_over,) = filled.source(sums.format("steps"))
    assert (found, found[:3]) == ((22, 44, found[2], 1), handed_over[:3])


def test_an_explanation_knows_whose_the_model_is(filled: House) -> None:
    key = ["started_on=2025-01-01", "tenant_id=acme", "step=draft", "provider=claude", "llm_model=opus"]
    databases = Databases(Settings(Path("/nowhere"), filled.warehouse_url))
    explanation = explanation_of(databases, "llm_cost", key, None, 10)
    assert explanation.differing == ()
    assert {source.table: [row.key for row in source.rows] for source in explanation.sources} == {
        "llm_usage.steps": [("acme", "1"), ("acme", "2")],
        "llm_usage.runs": [("acme", RUN.format(1))],
        "llm_control.llm_models": [("0",)],
    }
