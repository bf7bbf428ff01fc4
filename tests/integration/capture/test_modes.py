"""Every way of copying in the same bad weather: the naive ones must lose here, else the harness proves nothing; the others must not."""

import secrets

import pytest

from tests.integration.capture.modes import EXACT_MODES, NAIVE_MODES
from tests.integration.capture.places import Place
from tests.integration.capture.soak import Weather, soak
from tests.integration.capture.writers import Habits

WEATHER = Weather(Habits(held_seconds=(0.3, 1.5)), hazard_pause_seconds=0.4, crash_share=0.05)

LEAST_SYNCS = 6

# What an undisturbed sync may fail with: connections that a hazard ended, crashes, tables that one locked.
EXPECTED_FAILURES = ("DatabaseUnreachable", "SyncError: the warehouse: before or while", "SyncInProgress")


@pytest.fixture
def seed() -> str:
    """Another plan every time; printed with a failure, and an argument of `python -m benchmarks.soak`."""
    return secrets.token_hex(4)


@pytest.mark.parametrize("name", EXACT_MODES)
def test_exact_mode_loses_nothing(name: str, somewhere: Place, seed: str) -> None:
    told: list[str] = []
    tally = soak(name, EXACT_MODES[name], somewhere, 12, seed, WEATHER, told.append, LEAST_SYNCS)
    assert tally.difference.total == 0, (seed, told)
    assert tally.syncs >= LEAST_SYNCS
    assert tally.kills > 0
    assert [failure for failure in tally.failures if not failure.startswith(EXPECTED_FAILURES)] == []


@pytest.mark.parametrize("name", NAIVE_MODES)
def test_naive_mode_loses(name: str, somewhere: Place, seed: str) -> None:
    told: list[str] = []
    tally = soak(name, NAIVE_MODES[name], somewhere, 4, seed, WEATHER, told.append, LEAST_SYNCS)
    assert tally.difference.total > 0, (seed, told)
    assert tally.syncs >= LEAST_SYNCS
