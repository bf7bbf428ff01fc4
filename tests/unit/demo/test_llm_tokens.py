"""The same tokens in the shape of each API, as the APIs document them."""

from collections.abc import Callable

import pytest

from dagster_project.demo.llm_tokens import (
    SHAPES,
    Tokens,
    Usage,
    anthropic_messages,
    anthropic_stream,
    gemini_content,
    gemini_stream,
    litellm,
    openai_chat,
    openai_responses,
)

TOKENS = Tokens(fresh=100, cached=30, written=20, output=40, reasoning=8)

REPORTED: dict[Callable[[Tokens], Usage], Usage] = {
    anthropic_messages: {
        "input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 48,
        "service_tier": "standard",
    },
    anthropic_stream: [
        {"input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 1},
        {"input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 48},
    ],
    openai_chat: {
        "prompt_tokens": 150,
        "completion_tokens": 48,
        "total_tokens": 198,
        "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 8,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
    openai_responses: {
        "input_tokens": 150,
        "input_tokens_details": {"cached_tokens": 30},
        "output_tokens": 48,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 198,
    },
    gemini_content: {
        "promptTokenCount": 150,
        "candidatesTokenCount": 40,
        "totalTokenCount": 198,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 150}],
        "cachedContentTokenCount": 30,
        "thoughtsTokenCount": 8,
    },
    gemini_stream: [
        {
            "promptTokenCount": 150,
            "candidatesTokenCount": 20,
            "totalTokenCount": 178,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 150}],
            "cachedContentTokenCount": 30,
            "thoughtsTokenCount": 8,
        },
        {
            "promptTokenCount": 150,
            "candidatesTokenCount": 40,
            "totalTokenCount": 198,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 150}],
            "cachedContentTokenCount": 30,
            "thoughtsTokenCount": 8,
        },
    ],
    litellm: {
        "prompt_tokens": 150,
        "completion_tokens": 48,
        "total_tokens": 198,
        "prompt_tokens_details": {"text_tokens": 100, "cached_tokens": 30, "cache_creation_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 8, "text_tokens": 40},
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 30,
    },
}


@pytest.mark.parametrize("shape", REPORTED, ids=lambda shape: shape.__name__)
def test_tokens_are_reported_as_the_api_does(shape: Callable[[Tokens], Usage]) -> None:
    assert shape(TOKENS) == REPORTED[shape]


def test_every_shape_is_known_here() -> None:
    assert {shape for shapes in SHAPES.values() for shape in shapes} == set(REPORTED)


def test_gemini_leaves_out_what_is_zero() -> None:
    assert gemini_content(Tokens(fresh=100, cached=0, written=0, output=40, reasoning=0)) == {
        "promptTokenCount": 100,
        "candidatesTokenCount": 40,
        "totalTokenCount": 140,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
    }
