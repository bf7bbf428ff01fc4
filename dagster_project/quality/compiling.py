"""Rules as statements: what finds the failing rows of many of them in one pass.

Belongs here: SQL that puts failing rows into the table `found`, and the query that shows those of one rule to a person. Does not belong
here: which rows are asked about (`asked_rows`), and what becomes of those that are found (`ledger`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from dagster_project.marts.postgres.names import columns, literal
from dagster_project.quality.asked_rows import Asked
from dagster_project.quality.rules import Condition, Reach, Relation, Rule, Source, with_count, with_raw_counts

# The failing rows of a suite, until they have been compared with those that are known.
FOUND = "pg_temp.found"
_PART = "pg_temp.found_in_all"
CREATE_FOUND = "create temporary table if not exists found (check_name text, key jsonb, observed json) on commit delete rows"

# Named as no relation and no column is that a condition speaks of.
_RULE = '"rule of the suite"'
_COLUMNS = '"rule: check", "rule: key", "rule: observed"'
_IS_BROKEN = '"rule: is broken"'


@dataclass(frozen=True)
class Question:
    """A rule, and the rows that it is asked about."""

    rule: Rule
    asked: Asked


def failing_query(rule: Rule, rows: str) -> str:
    """A query, runnable as it is, that returns each failing row once: its key and the values at fault."""
    if rule.condition:
        return f"{_rows_of(rule.condition.source, rows)} select {rule.condition.shown} {_from(rule.condition)}"
    # An alias, as Great Expectations gives one, unless a join has to name the rows itself.
    alias = "" if "{batch} as " in rule.query else " as batch"
    return rule.query.format(batch=f"({rows}){alias}")


def _rows_of(source: Source, rows: str) -> str:
    return f"with this as not materialized ({rows}){source.lookups}"


def _from(condition: Condition) -> str:
    return f"from {condition.source.relations} where {condition.broken}"


@dataclass(frozen=True)
class Counted:
    """Numbers of rows, for rules that ask for these.

    Attributes:
        rows: Of what is checked.
        raw: Of raw tables, by relation, as far as they are known.
    """

    rows: int
    raw: Mapping[Relation, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """What finds failing rows.

    Attributes:
        rules: Of these rules.
        sql: The statement, or several.
    """

    rules: Sequence[Rule]
    sql: str


@dataclass(frozen=True)
class _Part:
    """A query of failing rows, which reads the rows that are asked about under a name that is given to it."""

    rules: Sequence[Rule]
    asked: Asked
    of: Callable[[str], str]

    @property
    def reads_all(self) -> bool:
        """Whether it reads all rows that there are."""
        return self.asked.is_whole and any(rule.reach is not Reach.RECORDS for rule in self.rules)


def statements(questions: Sequence[Question], counted: Counted) -> list[Statement]:
    """Statements that find what fails: one that reads all rows, if it has to be, and one for what is asked of some of them."""
    parts = _parts(questions, counted)
    found = (_of_all([part for part in parts if part.reads_all]), _of_some([part for part in parts if not part.reads_all]))
    return [statement for statement in found if statement.rules]


def _of_all(parts: Sequence[_Part]) -> Statement:
    """By way of a table of its own: PostgreSQL uses more than one process for a query that makes a table, and not for one that fills it."""
    queries = _union(part.of(part.asked.rows) for part in parts)
    return Statement(
        _rules(parts), f"create temporary table {_PART} as\n{queries};\ninsert into {FOUND} select * from {_PART};\ndrop table {_PART}"
    )


def _of_some(parts: Sequence[_Part]) -> Statement:
    """Rows that several parts ask about, or one part more than once, are found once."""
    # Who judges rows together looks at them twice.
    times = Counter(
        part.asked.rows
        for part in parts
        if not part.asked.is_whole
        for _ in range(1 + any(rule.reach is Reach.GROUP for rule in part.rules))
    )
    names = {rows: f'"asked rows {number}"' for number, (rows, count) in enumerate(times.items(), 1) if count > 1}
    found = ",\n".join(f"{name} as materialized ({rows})" for rows, name in names.items())
    queries = _union(part.of(f"select * from {names[part.asked.rows]}" if part.asked.rows in names else part.asked.rows) for part in parts)
    return Statement(_rules(parts), f"insert into {FOUND}\n{f'with {found}' if found else ''}\n{queries}")


def _rules(parts: Iterable[_Part]) -> list[Rule]:
    return [rule for part in parts for rule in part.rules]


def _union(queries: Iterable[str]) -> str:
    return "\nunion all\n".join(queries)


def _parts(questions: Sequence[Question], counted: Counted) -> list[_Part]:
    """Conditions on rows of one source are one part; what takes a query is one by itself."""
    passes: dict[tuple[Asked, Source], list[Rule]] = {}
    parts: list[_Part] = []
    for question in questions:
        if question.rule.condition:
            passes.setdefault((question.asked, question.rule.condition.source), []).append(question.rule)
        else:
            parts.append(_Part([question.rule], question.asked, partial(_found_by, question.rule, counted)))
    return [_Part(rules, rows, partial(one_pass, rules)) for (rows, _), rules in passes.items()] + parts


def one_pass(rules: Sequence[Rule], rows: str) -> str:
    """One query for conditions on rows of the same source: a row is looked at closer only if it breaks any of them."""
    conditions = [(rule, rule.condition) for rule in rules if rule.condition]
    (source,) = {condition.source for _, condition in conditions}
    is_broken = " or ".join(f"({condition.broken})" for _, condition in conditions)
    each = ",\n".join(f"({literal(rule.check)}, {_shown(rule, condition)}, ({condition.broken}))" for rule, condition in conditions)
    return (
        f"select {_COLUMNS} from ({_rows_of(source, rows)} select {_RULE}.* from {source.relations}\n"
        f"cross join lateral (values\n{each}\n) as {_RULE} ({_COLUMNS}, {_IS_BROKEN})\n"
        f"where ({is_broken}) and {_RULE}.{_IS_BROKEN}) as failing"
    )


def _shown(rule: Rule, condition: Condition) -> str:
    """What a failing row is known again by, and what is shown of it."""
    shown = f"from (select {condition.shown}) as shown"
    return f"(select {_key(rule, 'shown')} {shown}), (select to_json(shown) {shown})"


def _found_by(rule: Rule, counted: Counted, rows: str) -> str:
    query = with_raw_counts(failing_query(rule, rows), counted.raw)
    if rule.reach is Reach.RECORDS:
        query = with_count(query, counted.rows)
    return f"select {literal(rule.check)}, {_key(rule, 'failing')}, to_json(failing)\nfrom ({query}) as failing"


def _key(rule: Rule, of: str) -> str:
    """What a failing row is known again by: its key, or all that is shown of a row without one; a fact about the table needs nothing."""
    if rule.key:
        return document(rule.key, of)
    return f"cast(to_json({of}) as jsonb)" if rule.reach is Reach.ROW else "cast('{}' as jsonb)"


def document(names: Iterable[str], of: str) -> str:
    """SQL of a document with these columns."""
    return f"jsonb_build_object({', '.join(f'{literal(name)}, {of}.{columns([name])}' for name in names)})"
