"""How providers of language models report the tokens of a call, each with field names of its own.

Belongs here: the same tokens in the shape of each API. Does not belong here: how many tokens there are, and which model was called
(`llm_runs`).

What counts differs with the names. Anthropic counts cached tokens beside the input, all others within it. Gemini counts thoughts beside
the output, all others within it. A streamed answer is reported several times, each report with all that has been used so far, so only the
last one counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]
Usage = Report | list[Report]


@dataclass(frozen=True)
class Tokens:
    """Tokens of one call, in classes of which no two overlap.

    Attributes:
        fresh: Input that was neither read from a cache nor written to one.
        cached: Input that was read from a cache.
        written: Input that was written to a cache. Only Anthropic tells it apart.
        output: Output that is no reasoning.
        reasoning: What the model thought before it answered.
    """

    fresh: int
    cached: int
    written: int
    output: int
    reasoning: int

    @property
    def input(self) -> int:
        """All input."""
        return self.fresh + self.cached + self.written

    @property
    def generated(self) -> int:
        """All that the model wrote."""
        return self.output + self.reasoning


def anthropic_messages(tokens: Tokens) -> Usage:
    """`usage` of a message: what is cached stands beside the input."""
    return {
        "input_tokens": tokens.fresh,
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens.generated,
        "service_tier": "standard",
    }


def anthropic_stream(tokens: Tokens) -> Usage:
    """`usage` of the events `message_start` and `message_delta`, in which counts go on from each other."""
    at_start = {
        "input_tokens": tokens.fresh,
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": 1,
    }
    return [at_start, {**at_start, "output_tokens": tokens.generated}]


def openai_chat(tokens: Tokens) -> Usage:
    """`usage` of a chat completion: what is cached, and the reasoning, are parts."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.generated,
        "total_tokens": tokens.input + tokens.generated,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def openai_responses(tokens: Tokens) -> Usage:
    """`usage` of a response: the same parts by other names."""
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.generated,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.generated,
    }


def gemini_content(tokens: Tokens) -> Usage:
    """`usageMetadata` of `generateContent`: thoughts stand beside the candidates, and what is zero is left out."""
    return _gemini(tokens)


def gemini_stream(tokens: Tokens) -> Usage:
    """`usageMetadata` of the chunks of `streamGenerateContent`: each with all so far."""
    half = Tokens(tokens.fresh, tokens.cached, tokens.written, tokens.output // 2, tokens.reasoning)
    return [_gemini(half), _gemini(tokens)]


def litellm(tokens: Tokens) -> Usage:
    """`usage` as LiteLLM gives it for all providers: OpenAI's names, with Anthropic's counts of the cache beside them."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.generated,
        "total_tokens": tokens.input + tokens.generated,
        "prompt_tokens_details": {
            "text_tokens": tokens.fresh,
            "cached_tokens": tokens.cached,
            "cache_creation_tokens": tokens.written,
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "text_tokens": tokens.output},
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
    }


# By whom an answer comes from.
SHAPES: Mapping[str, tuple[Callable[[Tokens], Usage], ...]] = {
    "claude": (anthropic_messages, anthropic_stream, litellm),
    "gemini": (gemini_content, gemini_stream),
    "openai": (openai_chat, openai_responses),
    "in_house": (litellm,),
}


def _gemini(tokens: Tokens) -> Report:
    optional = {"cachedContentTokenCount": tokens.cached, "thoughtsTokenCount": tokens.reasoning}
    return {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output,
        "totalTokenCount": tokens.input + tokens.generated,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
        **{name: count for name, count in optional.items() if count},
    }
