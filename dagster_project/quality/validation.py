"""Running a suite: what may have changed since it ran last is asked again, in as few statements as there can be.

Belongs here: deciding what is asked, asking it, and the verdicts. Does not belong here: SQL (`compiling`, `asked_rows`), what is kept of
rows (`ledger`) and of runs (`results`, `data_docs`), and Great Expectations (`native`), which has the same verdicts.

All statements of a suite see one snapshot, and nobody else writes verdicts meanwhile.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.plan import Plan
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.driver_errors import first_line
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.postgres.schemas import PUBLISHED
from dagster_project.quality import counted_rows, ledger, verdicts
from dagster_project.quality.asked_rows import Mart, RawTable, Subject, all_rows, asked, no_row, read_together
from dagster_project.quality.compiling import CREATE_FOUND, Counted, Question, failing_query, statements
from dagster_project.quality.metric_ranges import METRIC_RANGES_FILE, METRIC_RANGES_TABLE, declare, load_metric_ranges
from dagster_project.quality.native import native_verdicts
from dagster_project.quality.rules import Reach, Relation, Rule, raw_tables_counted, rule
from dagster_project.quality.suites import Expectation, Severity, Suite
from dagster_project.quality.verdicts import Standing, Verdict

SAMPLE_ROWS = 20

_AS_ROLE = f"-c role={TRANSFORM}"

# An index on fewer columns enforces it too.
_ENFORCED = """
select exists (
    select
    from pg_catalog.pg_index as index
    where
        index.indrelid = to_regclass(%(relation)s)
        and index.indisunique and index.indisvalid and index.indpred is null and index.indexprs is null
        and (
            select array_agg(attribute.attname::text)
            from unnest(index.indkey[:index.indnkeyatts - 1]) as position (attnum)
            inner join pg_catalog.pg_attribute as attribute on attribute.attrelid = index.indrelid and attribute.attnum = position.attnum
        ) <@ %(unique)s
)
"""


@dataclass(frozen=True)
class CheckResult:
    """What came of one expectation.

    Attributes:
        check_name: Its name, one in the suite.
        description: What is expected.
        expectation_type: As Great Expectations names it.
        column: The column that it is about, if there is exactly one.
        severity: Whether a failure blocks; a warning where there is no such table yet.
        is_success: Whether the data is as expected; False too when that could not be found out.
        evaluated_rows: Rows that the verdict is of; None for expectations about the table as a whole.
        failing_rows: Rows that break the expectation; None when that could not be found out.
        failing_sample: Up to 20 of them, each a dict of its key and the values at fault that can be written as JSON.
        failing_query: SQL that finds all of them.
        error: Why the check could not be evaluated; None if it was.
        batch_id: The last batch that the verdict reflects; None if there is none.
        is_kept: Whether it is as it was: nothing that it reads has changed since it was asked before, or the answer is the same.
    """

    check_name: str
    description: str
    expectation_type: str
    column: str | None
    severity: Severity
    is_success: bool
    evaluated_rows: int | None
    failing_rows: int | None
    failing_sample: tuple[dict[str, Any], ...]
    failing_query: str
    error: str | None
    batch_id: int | None
    is_kept: bool


@dataclass(frozen=True)
class Validation:
    """What came of one suite.

    Attributes:
        suite: Name of the suite.
        validated_at: When it started, in UTC.
        seconds: How long it took.
        results: One per expectation, in the order of the suite.
    """

    suite: str
    validated_at: datetime
    seconds: float
    results: tuple[CheckResult, ...]

    @property
    def is_news(self) -> bool:
        """Whether anything is not as it was."""
        return not all(result.is_kept for result in self.results)


@dataclass(frozen=True)
class Project:
    """What suites are about.

    Attributes:
        contracts: By system.
        plan: Of the marts; None where only raw tables are checked.
        ranges_file: The ranges of metrics, for suites that ask for them.
    """

    contracts: Mapping[str, SystemContract]
    plan: Plan | None = None
    ranges_file: Path = METRIC_RANGES_FILE


def validate(url: str, suite: Suite, project: Project, *, everything: bool = False) -> Validation:
    """Check the rows that one suite is about; see `validations`."""
    (found,) = validations(url, [suite], project, everything=everything)
    return found


def validations(url: str, suites: Sequence[Suite], project: Project, *, everything: bool = False) -> Iterator[Validation]:
    """Check the rows that suites are about, one suite after the other.

    Args:
        url: libpq URL of the warehouse; its user must be a member of runmart_transform.
        suites: What to check.
        project: What they are about.
        everything: Whether to ask about all rows, whatever is known of them.

    Raises:
        MetricRangesError: The file of ranges cannot be used.
        psycopg2.OperationalError: The warehouse cannot be reached.
    """
    ranges = ""
    if any(METRIC_RANGES_TABLE in expectation.query for suite in suites for expectation in suite.expectations):
        with warehouse_connection(url) as connection:
            declare(connection, load_metric_ranges(project.ranges_file))
        ranges = project.ranges_file.read_text(encoding="utf-8")
    with closing(psycopg2.connect(url, connect_timeout=10, options=_AS_ROLE, application_name="runmart check")) as connection:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
        for suite in suites:
            validated_at, started = datetime.now(UTC), time.monotonic()
            with connection, connection.cursor() as cursor:
                # The snapshot is that of the first statement after this one.
                cursor.execute("lock table locks.checks in exclusive mode")
                results = _Checking(cursor, suite, project, ranges, everything=everything).results(url)
            yield Validation(suite.name, validated_at, round(time.monotonic() - started, 3), results)


@contextmanager
def warehouse_connection(url: str) -> Iterator[Connection]:
    """A connection in the role that checks run in; every statement stands for itself."""
    connection = psycopg2.connect(url, connect_timeout=10, options=_AS_ROLE, application_name="runmart check")
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


class _Checking:
    """One suite in one transaction."""

    def __init__(self, cursor: Cursor, suite: Suite, project: Project, ranges: str, *, everything: bool) -> None:
        self._cursor = cursor
        self._suite = suite
        self._project = project
        self._asset = "/".join(suite.asset_key)
        self._standing = self._find_standing()
        # Of a table that is gone nothing stands. Of a mart that is left as it is no candidate is made, so that what stands of it is all.
        is_there, last = self._is_there(), verdicts.last(cursor, self._asset)
        checks = {expectation.meta.check for expectation in suite.expectations}
        self._is_left_alone = self._standing.is_left_out and is_there and checks <= last.keys()
        self._everything = not self._is_left_alone and (everything or not is_there)
        self._last = {} if self._everything else last
        self._rules = {expectation.meta.check: rule(suite, expectation) for expectation in suite.expectations}
        self._definitions = {expectation.meta.check: _definition(suite, expectation, ranges) for expectation in suite.expectations}

    def results(self, url: str) -> tuple[CheckResult, ...]:
        """Ask what has to be asked; one result per expectation."""
        found, rows = ({}, counted_rows.last(self._cursor, self._suite)) if self._is_left_alone else self._find(url)
        known = {**self._last, **found}
        return tuple(
            self._result(expectation, known[expectation.meta.check], rows, is_kept=self._is_as_it_was(expectation.meta.check, found))
            for expectation in self._suite.expectations
        )

    def _find(self, url: str) -> tuple[dict[str, Verdict], int | None]:
        """Ask what has to be asked, and keep what was found, by check; how many rows there are, too."""
        known = [each for each in self._rules.values() if each]
        questions = self._questions([each for each in known if not self._is_kept(each)])
        rows = self._count(questions)
        found = {**self._found(questions, rows or 0), **self._found_natively(url)}
        verdicts.keep(self._cursor, self._asset, found)
        if self._standing.is_untouched:
            standing = {each.check for each in known} - found.keys()
            verdicts.stand(self._cursor, self._asset, standing, self._standing.refresh_started_at)
        return found, rows

    def _is_as_it_was(self, check: str, found: Mapping[str, Verdict]) -> bool:
        """Whether a check was not asked again, or asks what is no row and has the same answer."""
        last, now, asked_rule = self._last.get(check), found.get(check), self._rules[check]
        is_of_records = asked_rule is not None and asked_rule.reach is Reach.RECORDS
        return now is None or (is_of_records and last is not None and last.outcome == now.outcome)

    def _find_standing(self) -> Standing:
        if self._suite.system == PUBLISHED:
            return verdicts.standing_of_mart(self._cursor, self._suite.table)
        return verdicts.standing_of_raw(self._cursor, self._suite.system, self._project.contracts[self._suite.system].tables)

    def _is_there(self) -> bool:
        return not self._try(f"select from ({self._suite.rows_query}) as batch limit 0")[1]

    def _found(self, questions: Sequence[Question], rows: int) -> dict[str, Verdict]:
        """Ask, and bring the ledger up to date; by check, what was found."""
        self._cursor.execute(CREATE_FOUND)
        errors = self._ask(questions, rows)
        answered = {question.rule.check: question.asked.judged for question in questions if question.rule.check not in errors}
        failing = ledger.keep(self._cursor, self._asset, answered, self._suite.meta.key, self._standing.batch_id)
        return {
            question.rule.check: self._verdict(question.rule.check, failing.get(question.rule.check, 0), errors.get(question.rule.check))
            for question in questions
        }

    def _found_natively(self, url: str) -> dict[str, Verdict]:
        """Ask Great Expectations what cannot be compiled."""
        unknown = [expectation for expectation in self._suite.expectations if self._rules[expectation.meta.check] is None]
        if not unknown:
            return {}
        asked_natively = native_verdicts(url, self._suite.only({expectation.meta.check for expectation in unknown}))
        return {check: self._verdict(check, each.failing_rows or 0, each.error) for check, each in asked_natively.items()}

    def _verdict(self, check: str, failing_rows: int, error: str | None) -> Verdict:
        return Verdict(
            definition=self._definitions[check],
            batch_id=None if error else self._standing.batch_id,
            refresh_started_at=self._standing.refresh_started_at,
            is_success=not error and not failing_rows,
            failing_rows=None if error else failing_rows,
            error=error,
        )

    def _is_of(self, rule: Rule) -> Verdict | None:
        """The last verdict, if it is one, and of the same question."""
        last = self._last.get(rule.check)
        return last if last and not last.error and last.definition == self._definitions[rule.check] else None

    def _is_kept(self, rule: Rule) -> bool:
        """Whether the last verdict stands, because nothing that the rule reads has changed since."""
        last = self._is_of(rule)
        is_asked_each_time = rule.reach is Reach.RECORDS or rule.is_timely
        return last is not None and not is_asked_each_time and self._standing.is_as_it_was(last, self._suite.table, rule)

    def _questions(self, rules: Sequence[Rule]) -> list[Question]:
        """What the rules have to be asked about."""
        is_raw = self._suite.system != PUBLISHED
        contract = self._project.contracts[self._suite.system] if is_raw else None
        together = read_together(contract, self._suite.table, rules) if contract else frozenset[str]()
        return [self._question(each, together) for each in rules]

    def _question(self, rule: Rule, together: frozenset[str]) -> Question:
        last = None if rule.is_timely else self._is_of(rule)
        subject = self._subject(last, rule, together)
        if rule.unique and self._is_enforced(subject, rule.unique):
            return Question(rule, no_row(subject))
        return Question(rule, asked(subject, rule, ledger.known(self._asset, rule.check)) if last else all_rows(subject))

    def _is_enforced(self, subject: Subject, unique: Sequence[str]) -> bool:
        """Whether PostgreSQL refuses two rows with the same values in columns, so that nobody has to look for any."""
        self._cursor.execute(_ENFORCED, {"relation": subject.relation, "unique": list(unique)})
        return bool(one_row(self._cursor)[0])

    def _subject(self, last: Verdict | None, rule: Rule, together: frozenset[str]) -> Subject:
        """What the suite is about, since a verdict of a rule."""
        if self._suite.system != PUBLISHED:
            seen = self._standing.seen(last, self._suite.table, rule) if last else None
            return RawTable(self._project.contracts[self._suite.system], self._suite.table, seen, together)
        if self._project.plan is None:
            raise LookupError(f"the plan of the marts is needed to check {self._suite.name}")
        since = last.refresh_started_at if last is not None and self._standing.is_narrow(last) else None
        return Mart(self._project.plan, self._suite.table, self._suite.meta.key, since)

    def _ask(self, questions: Sequence[Question], rows: int) -> dict[str, str]:
        """Find what fails; gives the rules that could not be asked, each with the reason."""
        errors: dict[str, str] = {}
        counted = Counted(rows, {} if self._everything else self._raw_rows(questions))
        for statement in statements(questions, counted):
            if self._try(statement.sql)[1] is None:
                continue
            # One that cannot be asked must not keep the others from it.
            for question in (question for question in questions if question.rule in statement.rules):
                for single in statements([question], counted):
                    if error := self._try(single.sql)[1]:
                        errors[question.rule.check] = error
        return errors

    def _raw_rows(self, questions: Iterable[Question]) -> dict[Relation, int]:
        """How many rows marts read of the raw tables of which questions count these, as far as that is known."""
        wanted = set[Relation]().union(*(raw_tables_counted(question.rule.query) for question in questions))
        contracts = {contract.raw_schema: contract for contract in self._project.contracts.values()}
        found = {
            (schema, table): counted_rows.of_read(self._cursor, contracts[schema], table) for schema, table in wanted if schema in contracts
        }
        return {relation: rows for relation, rows in found.items() if rows is not None}

    def _try(self, statement: str) -> tuple[Sequence[tuple[Any, ...]], str | None]:
        """Run a statement; gives its rows, or the reason why it cannot be run, and then nothing is changed."""
        self._cursor.execute("savepoint asked")
        try:
            self._cursor.execute(statement)
            rows = self._cursor.fetchall() if self._cursor.description else []
        except (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.NotSupportedError, psycopg2.InternalError) as error:
            self._cursor.execute("rollback to savepoint asked")
            return [], first_line(error)
        self._cursor.execute("release savepoint asked")
        return rows, None

    def _count(self, questions: Sequence[Question]) -> int | None:
        """How many rows there are; None if there is no such table. They are counted when all of them are asked about, else reckoned."""
        is_whole = any(question.asked.is_whole and question.rule.reach is Reach.ROW for question in questions)
        rows = None if is_whole or self._everything else self._reckoned()
        if rows is None:
            found, error = self._try(f"select count(*) from ({self._suite.rows_query}) as batch")
            rows = None if error else int(found[0][0])
        if rows is not None:
            counted_rows.keep(self._cursor, self._suite, self._standing, rows)
        return rows

    def _reckoned(self) -> int | None:
        if self._suite.system != PUBLISHED:
            return counted_rows.of_raw(self._cursor, self._suite.system, self._suite.table)
        return counted_rows.of_mart(self._cursor, self._suite, self._project.plan, self._standing) if self._project.plan else None

    def _result(self, expectation: Expectation, verdict: Verdict, rows: int | None, *, is_kept: bool) -> CheckResult:
        check = expectation.meta.check
        compiled = self._rules[check]
        return CheckResult(
            check_name=check,
            description=expectation.description,
            expectation_type=expectation.type,
            column=expectation.column,
            # What is not there holds up nothing else, and nothing is built on it either.
            severity=Severity.WARNING if rows is None else expectation.severity,
            is_success=verdict.is_success,
            evaluated_rows=rows if expectation.meta.level == "row" else None,
            failing_rows=verdict.failing_rows,
            failing_sample=self._sample(check) if verdict.failing_rows else (),
            failing_query=f"{failing_query(compiled, self._suite.rows_query)};" if compiled else "",
            error=verdict.error,
            batch_id=verdict.batch_id,
            is_kept=is_kept,
        )

    def _sample(self, check: str) -> tuple[dict[str, Any], ...]:
        return tuple(row.observed for row in ledger.failing_rows(self._cursor, self._asset, check, SAMPLE_ROWS))


def _definition(suite: Suite, expectation: Expectation, ranges: str) -> str:
    """Digest of what a check asks: when it is another one, all rows are asked about."""
    parts = (expectation.model_dump_json(), ",".join(suite.meta.key), ranges if METRIC_RANGES_TABLE in expectation.query else "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
