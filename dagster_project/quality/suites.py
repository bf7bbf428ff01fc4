"""Suites: what is expected of a raw table or a mart, as plain Great Expectations JSON.

Belongs here: the shape of `expectations/<system>/<table>.json`, its validation, and which rows a suite is about. Does not belong here:
running a suite (`validation`), and SQL for the rows that break an expectation (`failing_rows`).

A suite is `{name, meta: {key}, expectations: [{type, kwargs, severity, description, meta: {check, level}}]}`. `check` names the expectation
everywhere it is shown. `level` says what is wrong when it fails: `row` if single rows are, and can be set aside; `table` if no row can be
blamed alone (a duplicate, a missing column, a stale source).
"""

import json
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from dagster_project.contracts.raw_columns import IS_LIVE
from dagster_project.contracts.table import raw_schema
from dagster_project.errors import RunmartError
from dagster_project.postgres.schemas import CANDIDATES, PUBLISHED
from dagster_project.settings import PROJECT_ROOT

EXPECTATIONS_ROOT = PROJECT_ROOT / "expectations"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class SuiteError(RunmartError):
    """A suite file cannot be used; the message starts with the file."""


class Severity(StrEnum):
    """What a failure means: critical stops everything downstream, a warning is only reported."""

    CRITICAL = "critical"
    WARNING = "warning"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectationMeta(_Strict):
    """The part of an expectation that is Runmart's own.

    Attributes:
        check: Name of the check, unique within the suite.
        level: Whether single rows break the expectation, by themselves or with rows that foreign keys lead to from them, or only the table
            as a whole.
        key: Columns by which what the query of a table finds is known again; by default the key of the table, if it is among them.
        within: By column of the query, the SQL that makes of a row what it has in common with those that it is judged with. A row that
            leaves them must not make the others fail. None for a table that is judged as a whole.
    """

    check: Name
    level: Literal["row", "table"]
    key: tuple[str, ...] = ()
    within: dict[str, str] = {}


class Expectation(_Strict):
    """One expectation, as Great Expectations reads it."""

    type: Annotated[str, StringConstraints(pattern=r"^(expect_[a-z_]+|unexpected_rows_expectation)$")]
    kwargs: dict[str, Any]
    severity: Severity
    description: Annotated[str, StringConstraints(min_length=1)]
    meta: ExpectationMeta

    @property
    def column(self) -> str | None:
        """The column that it is about, if there is exactly one."""
        return self.kwargs.get("column")

    @property
    def query(self) -> str:
        """The SQL that it is written in; empty if it is of a type that is not."""
        return str(self.kwargs.get("unexpected_rows_query", ""))


class SuiteMeta(_Strict):
    """The part of a suite that is Runmart's own.

    Attributes:
        key: The columns that identify a row of the table; none if it has no key.
        quarantined_share: The share of a raw table's rows up to which those that break critical rules are set aside one by one. If more do,
            and at least ten, the table holds back the marts that read it.
    """

    key: tuple[str, ...]
    quarantined_share: Annotated[float, Field(gt=0, le=1)] = 0.01


class Suite(_Strict):
    """What is expected of one raw table or mart.

    Attributes:
        name: `<system>.<table>`, or `analytics.<mart>`.
        meta: Key of the table.
        expectations: In the order in which they are shown.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
    meta: SuiteMeta
    expectations: Annotated[tuple[Expectation, ...], Field(min_length=1)]

    @property
    def system(self) -> str:
        """The source system, or `analytics`."""
        return self.name.partition(".")[0]

    @property
    def table(self) -> str:
        """The raw table or the mart."""
        return self.name.partition(".")[2]

    @property
    def asset_key(self) -> tuple[str, str]:
        """Key of the asset that the suite is about."""
        return self.system, self.table

    @property
    def rows_query(self) -> str:
        """The rows that the suite is about: the live rows of a raw table, or the candidate of a mart."""
        if self.system == PUBLISHED:
            # Marts are checked where they are built, before anyone sees them.
            return f"select * from {CANDIDATES}.{self.table}"
        return f"select * from {raw_schema(self.system)}.{self.table} where {IS_LIVE}"

    def only(self, checks: set[str]) -> "Suite":
        """The same suite with some of its checks."""
        kept = tuple(expectation for expectation in self.expectations if expectation.meta.check in checks)
        return self.model_copy(update={"expectations": kept})


def load_suite(path: Path) -> Suite:
    """Read and validate one suite.

    Raises:
        SuiteError: The file is not JSON, breaks a rule, or is not named after what it is about; says what and where in the file.
    """
    try:
        suite = Suite.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise SuiteError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except ValidationError as error:
        problems = (f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise SuiteError("\n".join(problems)) from error
    problems_found = list(_problems(suite, path))
    if problems_found:
        raise SuiteError("\n".join(f"{path}: {problem}" for problem in problems_found))
    return suite


def load_suites(root: Path = EXPECTATIONS_ROOT) -> dict[str, Suite]:
    """Every suite by its name, from `<root>/<system>/<table>.json`."""
    suites = (load_suite(path) for path in sorted(root.glob("*/*.json")))
    return {suite.name: suite for suite in suites}


def _problems(suite: Suite, path: Path) -> Iterator[str]:
    if suite.asset_key != (path.parent.name, path.stem):
        yield f"name: {suite.name!r} must be {path.parent.name}.{path.stem!s}, after the folder and the file"
    counts = Counter(expectation.meta.check for expectation in suite.expectations)
    for check, count in counts.items():
        if count > 1:
            yield f"expectations: the check {check!r} is there {count} times; give each a name of its own"
    for expectation in suite.expectations:
        if expectation.type == "unexpected_rows_expectation" and "{batch}" not in expectation.query:
            yield f"expectations: the query of {expectation.meta.check!r} must read its rows from {{batch}}"
