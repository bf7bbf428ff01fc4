"""Whether compiled checks say what Great Expectations says of the same rows.

Belongs here: holding the verdicts that stand against native ones. Does not belong here: either of them (`validation`, `native`), and when
this is done (`defs.agreement`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.quality.native import NativeVerdict, native_verdicts
from dagster_project.quality.suites import Suite
from dagster_project.quality.validation import CheckResult, Project, validate

# Rows may change while Great Expectations reads them.
_ATTEMPTS = 3

# Whether a check passes, how many rows fail, and whether it could be asked at all.
Outcome = tuple[bool, int | None, bool]


@dataclass(frozen=True)
class Disagreement:
    """A check of which the two do not say the same.

    Attributes:
        check_name: Its name, one in its suite.
        compiled: The verdict that stands.
        native: That of Great Expectations.
    """

    check_name: str
    compiled: str
    native: str


def disagreements(url: str, suite: Suite, project: Project) -> list[Disagreement]:
    """Ask Great Expectations about all rows that a suite is about, and compare.

    Args:
        url: libpq URL of the warehouse; its user must be a member of runmart_transform.
        suite: What to check.
        project: What it is about.
    """
    compiled = _compiled(url, suite, project)
    for _ in range(_ATTEMPTS):
        native = {check: _outcome(found) for check, found in native_verdicts(url, suite).items()}
        before, compiled = compiled, _compiled(url, suite, project)
        if before == compiled:
            break
    return [Disagreement(check, _told(compiled[check]), _told(native[check])) for check in compiled if compiled[check] != native[check]]


def _compiled(url: str, suite: Suite, project: Project) -> Mapping[str, Outcome]:
    return {result.check_name: _outcome(result) for result in validate(url, suite, project).results}


def _outcome(found: CheckResult | NativeVerdict) -> Outcome:
    return found.is_success, found.failing_rows, found.error is not None


def _told(outcome: Outcome) -> str:
    is_success, failing_rows, is_error = outcome
    if is_error:
        return "cannot be asked"
    return "passes" if is_success else f"fails, {failing_rows} rows"
