"""Where a snapshot stands: numbers of transactions beyond 32 bits, and whether a source went on from an earlier position."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.ingestion.source import Position, _next_transaction, lsn_number

EARLIER = Position("5000:5010:5003", "7301", 1, 16384, 5012, "2026-01-01 00:00:00+00", "0/2000060", "2026-01-02 00:00:00+00")


@given(xmax=st.integers(3, 2**40), begun=st.integers(0, 2**31 - 2))
def test_next_transaction_has_all_its_bits(xmax: int, begun: int) -> None:
    upcoming = xmax + begun
    # As the server computes an age: a signed difference of 32 bits.
    age = (upcoming - 3 + 2**31) % 2**32 - 2**31
    assert _next_transaction(f"{xmax - 1}:{xmax}:", age) == upcoming


@given(st.integers(0, 2**64 - 1))
def test_position_in_the_log_as_a_number(position: int) -> None:
    assert lsn_number(f"{position >> 32:X}/{position & 0xFFFFFFFF:X}") == position


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [
        ({"snapshot": "5010:5010:", "lsn": "0/2000060"}, True),
        ({"snapshot": "5020:5030:", "lsn": "1/0"}, True),
        ({"started_at": "2026-02-01 00:00:00+00"}, True),
        ({"snapshot": "5000:5009:"}, False),
        ({"lsn": "0/200005F"}, False),
        ({"system_identifier": "7302"}, False),
        ({"timeline": 2}, False),
        ({"database": 16385}, False),
    ],
)
def test_history_goes_on_or_not(change: dict[str, object], goes_on: bool) -> None:
    assert replace(EARLIER, **change).is_of_same_history(EARLIER) == goes_on  # type: ignore[arg-type]
