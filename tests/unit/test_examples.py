"""When the output of an example is the one that a page shows, and which blocks of a page are examples."""

import os
import textwrap
from pathlib import Path

import pytest

from tests.e2e.examples import Example, NotUnderstood, Outcome, difference, examples, rewritten, run


def page(text: str) -> str:
    return textwrap.dedent(text).lstrip()


def verdict(shown: str, printed: str, code: int | None = 0, fitted: bool = False) -> str | None:
    example = Example(1, "command", tuple(page(shown).splitlines()), 2, fitted)
    return difference(example, Outcome(code, tuple(page(printed).splitlines())))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\nb", "a\n\nb  \n"),
        ("a\n…\nd", "a\nb\nc\nd"),
        ("…\nc\n…\nd\n…", "a\nc\nx\nd"),
        ("…", ""),
        ("ready …, port …", "ready at last, port 3000"),
        ("at 2026-11-21 15:44:25.5+00 in 1.9 s", "at 2027-01-01 00:00:01 in 20 s"),
        ("run 01234567-0123-0123-0123-0123456789ab", "run abcdefab-cdef-cdef-cdef-abcdefabcdef"),
        ("raw   rows  seconds\n───────\n…\nruns    12     0.02", "raw    rows  seconds\n──────────\nruns     12    11.10"),
    ],
)
def test_what_varies_or_is_left_out_makes_no_difference(shown: str, printed: str) -> None:
    assert verdict(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("12", "13"),
        ("5.667", "5.668"),
        ("a\nb", "b\na"),
        ("a", "a\nb"),
        ("a\n…\nd", "a\nd\ne"),
        ("a\n…\nd", "a\nb"),
        ("on 2026-01-31", "on 2026-01-30"),
        ("raw   rows  seconds\nruns    12     0.02", "raw   rows  seconds\nruns    13     0.02"),
        ("raw   rows  seconds\nruns    12     0.02\n\n0.5", "raw   rows  seconds\nruns    12     0.02\n\n0.6"),
        ("raw   rows  seconds\n…\ntotal   99      100", "raw   rows  seconds\ntotal   99      101"),
        ("raw   rows  seconds\n…\nin total, v 0.12.3", "raw   rows  seconds\nin total, v 0.13.3"),
    ],
)
def test_anything_else_is_a_difference(shown: str, printed: str) -> None:
    said = verdict(shown, printed)
    assert said is not None
    assert "it prints something else" in said
    assert page(printed) in said


@pytest.mark.parametrize(
    ("printed", "is_same"),
    [
        ("ARIMA 58.936, 12", True),
        ("ARIMA 58.9391, 12", True),
        ("ARIMA 57.8, 12", True),
        ("ARIMA 60.2, 12", False),
        ("ARIMA -58.936, 12", False),
        ("ARIMA 58.936, 13", False),
        ("ETS 58.936, 12", False),
        ("ARIMA 59, 12", False),
    ],
)
def test_fits_may_differ_by_two_percent_and_nothing_else_may(printed: str, is_same: bool) -> None:
    assert (verdict("ARIMA 58.936, 12", printed, fitted=True) is None) == is_same


@pytest.mark.parametrize(
    "warning",
    [
        "/a/b.py:3: UserWarning: datetime64 is slow",
        "12:00:00  [WARNING][Deprecated]: this key is deprecated",
        "Blocking asset check 'a' emitted no result in step 'b'; it will proceed without gating on it",
        "Traceback (most recent call last):",
    ],
)
def test_a_warning_must_be_shown(warning: str) -> None:
    said = verdict("a\n…\nd", f"a\n{warning}\nd")
    assert said is not None
    assert "a warning that the page does not show" in said
    assert verdict(f"a\n{warning}\n…", f"a\n{warning}\nd") is None


def test_a_failure_must_be_asked_for(tmp_path: Path) -> None:
    failing, asking = examples("```console\n$ false\n$ echo $?\n1\n```")
    ((failed, asked),) = run([[failing, asking]], tmp_path, os.environ)
    assert (failed.code, asked.lines) == (1, ("1",))
    assert difference(failing, failed) is None
    assert difference(asking, asked) is None
    (alone,) = examples("```console\n$ false\n```")
    assert "it ended with code 1" in str(difference(alone, Outcome(1)))


def test_examples_share_a_shell_and_a_page_begins_in_the_folder(tmp_path: Path) -> None:
    first = examples("```console\n$ export SEEN=yes\n$ cd /\n```")
    second = examples("```csv a/b.csv\na,b\n1,$SEEN\n```\n\n```console\n$ cat a/b.csv\n$ echo $SEEN $PWD/x >&2\n$ exit 3\n$ echo no\n```")
    outcomes = run([first, second], tmp_path, os.environ)
    printed = [Outcome(0), Outcome(0, ("a,b", "1,$SEEN")), Outcome(0, ("yes …/x",))]
    assert outcomes[1] == [*printed, Outcome(None), Outcome(None)]
    assert "it never ended" in str(difference(second[-1], outcomes[1][-1]))


@pytest.mark.parametrize(
    "block",
    [
        "```\n$ make demo\n```",
        "```bash\nmake demo\n```",
        "```bash quickly\nmake demo\n```",
        "```console\nmake demo\n```",
        "```console quickly\n$ make demo\n```",
        "```sql\nselect 1;\n```",
        "```sql\nselect 1;\n```\n\n```console\n$ make demo\n```",
        "```text\n1\n```",
        "<!-- not run: -->\n```bash\nmake demo\n```",
    ],
)
def test_a_block_that_is_no_example_is_a_mistake(block: str) -> None:
    with pytest.raises(NotUnderstood, match=r"line \d"):
        examples(block if block.startswith("<") else f"{block}\n")


def test_a_block_with_a_reason_is_not_run() -> None:
    assert examples("<!-- not run: it needs a printer -->\n```bash\nprint\n```\n\n```mermaid\nflowchart\n```\n") == []


def test_a_query_is_asked_as_the_analyst() -> None:
    (example,) = examples("```sql\nselect 1.5;\n```\n```text fitted\n 1.5\n```\n")
    assert "runmart url analyst" in example.command
    assert "select 1.5;" in example.command
    assert (example.shown, example.shown_from, example.is_fitted) == ((" 1.5",), 5, True)


def test_rewriting_changes_only_what_differs() -> None:
    text = page(
        """
        # Title

        ```console
        $ one
        took 3 s
        $ two
        rows: 10
        …
        done: 7
        $ three
        old
        ```
        """
    )
    outcomes = [Outcome(0, ("took 4 s",)), Outcome(0, ("rows: 11", "read", "read", "done: 8")), Outcome(0, ("", "new ", "", "newer", ""))]
    assert rewritten(text, outcomes) == text.replace("10", "11").replace("7", "8").replace("old", "new\n\nnewer")
