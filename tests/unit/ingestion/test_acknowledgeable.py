"""How far a slot may be acknowledged, against whole transaction ids: what the server shortens to 32 bits is known in full here."""

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from dagster_project.ingestion.slot import Changes, acknowledgeable

UPTO = "FFFF/0"


@dataclass(frozen=True)
class History:
    """A snapshot and the transactions of a slot, by their whole ids."""

    xmin: int
    xmax: int
    in_progress: frozenset[int]
    committed: tuple[int, ...]

    @property
    def snapshot(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.in_progress)))}"

    @property
    def changes(self) -> Changes:
        return Changes({}, frozenset(), tuple((xid % 2**32, f"0/{place + 1:X}") for place, xid in enumerate(self.committed)))

    def sees(self, xid: int) -> bool:
        return xid < self.xmax and xid not in self.in_progress


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Near the ends of an epoch as often as anywhere else."""
    xmax = draw(st.integers(3, 2**40) | st.integers(1, 5).flatmap(lambda epoch: st.integers(epoch * 2**32 - 300, epoch * 2**32 + 300)))
    xmin = max(3, xmax - draw(st.integers(0, 200) | st.integers(0, 2**30)))
    near = st.integers(max(3, xmin - 200), xmax + 200)
    in_progress = draw(st.frozensets(st.integers(xmin, xmax - 1), max_size=8)) if xmax > xmin else frozenset()
    some = st.sampled_from(sorted(in_progress)) if in_progress else near
    committed = draw(st.lists(near | some | st.integers(max(3, xmax - 2**31 + 1000), xmax), max_size=12, unique=True))
    return History(xmin, xmax, in_progress, tuple(committed))


@given(histories())
@example(History(2**32 + 4, 2**32 + 4, frozenset(), (2**32 - 1, 2**32 + 3)))
@example(History(2**32 - 2, 2**32 + 4, frozenset({2**32 - 2}), (2**32 - 1, 2**32 - 2, 2**32 + 3)))
@example(History(3, 3, frozenset(), (3,)))
def test_it_is_the_longest_visible_prefix(history: History) -> None:
    seen = 0
    while seen < len(history.committed) and history.sees(history.committed[seen]):
        seen += 1
    expected = UPTO if seen == len(history.committed) else f"0/{seen:X}" if seen else None
    assert acknowledgeable(history.changes, history.snapshot, UPTO) == expected


def test_everything_is_acknowledged_where_nothing_happened() -> None:
    assert acknowledgeable(Changes({}, frozenset(), ()), "740:740:", "0/1634990") == "0/1634990"


def test_positions_are_the_transactions_own() -> None:
    changes = Changes({}, frozenset(), ((739, "0/A0"), (740, "0/B0"), (741, "0/C0")))
    assert acknowledgeable(changes, "740:742:740", UPTO) == "0/A0"
    assert acknowledgeable(changes, "741:741:", UPTO) == "0/B0"
    assert acknowledgeable(changes, "739:742:739", UPTO) is None
