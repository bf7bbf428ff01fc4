"""The relay's meter: bytes are counted and held back, whatever the size of the blocks."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.ingestion import relay


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=30), st.floats(0.01, 100))
def test_reading_is_never_faster_than_allowed(blocks: list[int], megabytes_per_second: float) -> None:
    clock, reported = Clock(), [0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "time", clock)
        metered = relay._Metered(io.BytesIO(b"x" * sum(blocks)), megabytes_per_second, reported.append)
        for size in blocks:
            metered.read(size)
    assert metered.bytes == sum(blocks)
    assert clock.now == pytest.approx(sum(blocks) / 1e6 / megabytes_per_second)
    assert reported == sorted(reported)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "time", clock)
        relay._Metered(io.BytesIO(b"x" * 10**6), None, lambda _: None).read(10**6)
    assert clock.now == 0
