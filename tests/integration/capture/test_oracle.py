"""The judge itself: it must see each kind of fault."""

from collections import Counter

from tests.integration.capture.oracle import compare


def test_each_kind_of_fault_is_counted() -> None:
    source = {"t": Counter({("same", "1"): 1, ("lost", "1"): 1, ("stale", "new"): 1}), "without a key": Counter({("twice", "twice"): 2})}
    raw = {"t": Counter({("same", "1"): 1, ("extra", "1"): 1, ("stale", "old"): 1}), "without a key": Counter({("twice", "twice"): 1})}
    found = compare(source, raw)
    assert (found.lost, found.extra, found.stale) == (2, 1, 1)
    assert set(found.examples) == {"lost t lost", "extra t extra", "stale t stale", "lost without a key twice"}


def test_equal_contents_have_no_fault() -> None:
    contents = {"t": Counter({("key", "value"): 1})}
    assert compare(contents, contents).total == 0
