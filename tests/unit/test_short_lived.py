"""A short-lived process does not look through what it keeps."""

import subprocess
import sys

_PROCESS = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 10_000, gc.collect()))
from dagster_project.short_lived import collect_garbage_rarely
collect_garbage_rarely()
began = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(50_000)]
print(gc.get_stats()[0]["collections"] - began)
"""


def test_garbage_is_neither_looked_for_often_nor_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", _PROCESS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "0"]
