"""Quantities in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172799, "47 h"), (172800, "2 d"), (864000, "10 d")],
)
def test_duration_is_told_in_the_largest_unit_of_which_there_are_two(seconds: int, text: str) -> None:
    assert words.duration(seconds) == text


@given(st.integers(0, 10**9))
def test_duration_is_never_told_as_longer_than_it_is(seconds: int) -> None:
    number, unit = words.duration(seconds).split()
    size = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert 0 <= seconds - int(number) * size < size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_250_000, "1.2 MB"),
        (3_000_000_000, "3.0 GB"),
        (4_200_000_000_000, "4,200.0 GB"),
    ],
)
def test_size_has_one_decimal_of_the_largest_unit_that_fits(size: int, text: str) -> None:
    assert words.size(size) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows")])
def test_things_are_counted_in_the_right_number(number: int, text: str) -> None:
    assert words.counted(number, "row") == text
