"""Tokens and costs of the LLM workflow: what providers report is counted once, whatever its shape, and marts follow it as it changes.

Belongs here: reports as the demo's generator and the providers' own documents have them, in a tenant's warehouse. Does not belong here:
single formulas, which the models' unit tests hold, and histories of any system (`test_incremental`).
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dagster_project.demo.llm_tenant import fill_tenant
from dagster_project.demo.llm_tokens import SHAPES, Tokens, Usage, anthropic_messages, anthropic_stream, litellm
from tests.integration.marts.conftest import House
from tests.integration.marts.oracle import differences_from_rebuild, differences_from_source, refresh

RUN = "00000000-0000-0000-0000-000000000001"
ANTHROPIC = (anthropic_messages, anthropic_stream)
ALL_SHAPES = tuple(dict.fromkeys(shape for shapes in SHAPES.values() for shape in shapes))

# As the providers' documentation has them, worked by hand: fresh input, read from and written to a cache, output, reasoning.
DOCUMENTS: dict[str, tuple[object, tuple[int, int, int, int, int | None]]] = {
    # docs.claude.com, prompt caching: a conversation that goes on.
    "anthropic": (
        {
            "cache_creation_input_tokens": 248,
            "cache_read_input_tokens": 1800,
            "input_tokens": 2048,
            "output_tokens": 503,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            "server_tool_use": {"web_search_requests": 0},
        },
        (2048, 1800, 248, 503, None),
    ),
    # docs.claude.com, streaming: counts of `message_delta` are cumulative.
    "anthropic, streamed": (
        [{"input_tokens": 2679, "output_tokens": 3}, {"input_tokens": 10682, "cache_read_input_tokens": 0, "output_tokens": 510}],
        (10682, 0, 0, 510, None),
    ),
    # platform.openai.com, prompt caching.
    "openai_chat": (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920},
            "completion_tokens_details": {"reasoning_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        },
        (86, 1920, 0, 300, 0),
    ),
    # The first chunks of a streamed completion have `usage: null`, and the last one all.
    "openai_chat, streamed": ([None, None, {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}], (19, 0, 0, 10, None)),
    # platform.openai.com, reasoning.
    "openai_responses": (
        {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1186,
            "output_tokens_details": {"reasoning_tokens": 1024},
            "total_tokens": 1261,
        },
        (75, 0, 0, 162, 1024),
    ),
    # ai.google.dev, thinking: what is zero is left out, and prompts of tools stand beside the prompt.
    "gemini": (
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 600,
            "toolUsePromptTokenCount": 50,
            "candidatesTokenCount": 12,
            "thoughtsTokenCount": 38,
            "totalTokenCount": 1100,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1000}],
        },
        (450, 600, 0, 12, 38),
    ),
    # docs.litellm.ai, prompt caching with Anthropic: cached tokens are within the prompt.
    "litellm": (
        {
            "prompt_tokens": 2055,
            "completion_tokens": 30,
            "total_tokens": 2085,
            "prompt_tokens_details": {"cached_tokens": 1800},
            "completion_tokens_details": None,
            "cache_creation_input_tokens": 248,
            "cache_read_input_tokens": 1800,
        },
        (7, 1800, 248, 30, None),
    ),
}


def write(house: House, reports: Sequence[object]) -> None:
    """Let the source have one run, with a step for each report; steps are numbered from 1."""
    steps = [
        {"id": number, "run_id": RUN, "step": "draft", "status": "completed", "token_usage": json.dumps(report)}
        for number, report in enumerate(reports, start=1)
    ]
    house.fill({"runs": [{"id": RUN, "status": "running"}], "steps": steps})
    refresh(house)


def counted(house: House) -> list[tuple[Any, ...]]:
    return house.warehouse(
        "select input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens"
        " from analytics.llm_steps order by step_id"
    )


def as_told(shape: Callable[[Tokens], Usage], tokens: Tokens) -> tuple[int | None, ...]:
    """What a shape tells of tokens: Anthropic no reasoning, and what is written to a cache only Anthropic and LiteLLM."""
    written = tokens.written if shape in (*ANTHROPIC, litellm) else 0
    output, reasoning = (tokens.generated, None) if shape in ANTHROPIC else (tokens.output, tokens.reasoning)
    return (tokens.fresh + tokens.written - written, tokens.cached, written, output, reasoning)


@pytest.fixture
def house(tenant_house: House) -> Iterator[House]:
    """The house of a tenant, empty before and after."""
    tenant_house.fill({})
    yield tenant_house
    tenant_house.fill({})


def test_every_shape_tells_the_tokens_that_were_used(house: House) -> None:
    draw = random.Random(7)  # noqa: S311
    calls = [Tokens(*(draw.choice([0, draw.randrange(10), draw.randrange(10**9)]) for _ in range(5))) for _ in range(40)]
    asked = [(shape, tokens) for shape in ALL_SHAPES for tokens in calls]
    write(house, [shape(tokens) for shape, tokens in asked])
    assert counted(house) == [as_told(shape, tokens) for shape, tokens in asked]
    shapes = house.warehouse("select distinct usage_shape from analytics.llm_steps order by 1")
    assert shapes == [("anthropic",), ("gemini",), ("litellm",), ("openai_chat",), ("openai_responses",)]
    # Whatever the shape, the classes make up all tokens.
    ((used,),) = house.warehouse(
        "select sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens + coalesce(reasoning_tokens, 0))"
        " from analytics.llm_runs"
    )
    assert used == sum(tokens.input + tokens.generated for _, tokens in asked)


def test_documents_of_the_providers_are_understood(house: House) -> None:
    write(house, [report for report, _ in DOCUMENTS.values()])
    assert dict(zip(DOCUMENTS, counted(house), strict=True)) == {name: tokens for name, (_, tokens) in DOCUMENTS.items()}
    shapes = house.warehouse("select usage_shape from analytics.llm_steps order by step_id")
    assert [shape for (shape,) in shapes] == [name.partition(",")[0] for name in DOCUMENTS]


def test_marts_follow_the_demo_as_it_changes(house: House, tmp_path: Path) -> None:
    """A run that goes on, a report that comes late, a step of another model, a prompt that is no longer active, a run that is deleted."""
    fill_tenant(house.source_url, "acme", tmp_path, lambda _: None, runs=140)
    house.sync()
    refresh(house, "--full-refresh")
    assert differences_from_source(house) == {}
    ((priced, unpriced, waste),) = house.warehouse(
        "select count(cost_usd), sum((usage_shape is not null and cost_usd is null)::int), sum(wasted_cost_usd) from analytics.llm_steps"
    )
    assert priced
    assert unpriced
    assert waste
    tiers = house.warehouse("select distinct price_version from analytics.llm_steps where price_version like '%%above%%'")
    assert tiers
    for change in (
        f"update steps set token_usage = '{json.dumps({'promptTokenCount': 250_000})}' where id = (select min(id) from steps)",
        "update steps set llm_model = 'gemini-2.5-pro', status = 'failed', retry_count = 1 where id = (select min(id) from steps)",
        "update steps set started_at = '2025-09-24 23:59:59' where id = (select min(id) from steps)",
        "update prompts set is_active = false",
        "update steps set prompt_version = 1 where prompt_version = 2 and id % 3 = 0",
        "update runs set status = 'completed' where status = 'running'",
        "delete from artifacts where run_id = (select min(run_id::text)::uuid from steps)",
        "delete from audit_logs where id % 2 = 0",
    ):
        house.source(change)
        house.sync()
        refresh(house)
        assert differences_from_source(house) == {}, change
    assert differences_from_rebuild(house) == {}
    assert house.warehouse("select is_full from ops.refreshes order by refresh_id desc limit 1") == [(False,)]
