"""Rules as statements: what finds the failing rows of many of them in one pass.

Belongs here: SQL that puts failing rows into the table `found`, and the query that shows those of one rule to a person. Does not belong
here: which rows are asked about (`asked_rows`), and what becomes of those that are found (`ledger`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dagster_project.marts.postgres.names import columns, literal
from dagster_project.quality.asked_rows import Asked
from dagster_project.quality.rules import Reach, Relation, Rule, with_count, with_raw_counts

# The failing rows of a suite, until they have been compared with those that are known.
FOUND = "pg_temp.found"
CREATE_FOUND = "create temporary table if not exists found (check_name text, key jsonb, observed json) on commit delete rows"


@dataclass(frozen=True)
class Question:
    """A rule, and the rows that it is asked about."""

    rule: Rule
    asked: Asked


def failing_query(rule: Rule, rows: str) -> str:
    """A query, runnable as it is, that returns each failing row once: its key and the values at fault."""
    if rule.condition:
        return f"with this as ({rows}) select {columns(rule.shown)} from this where {rule.condition}"
    # An alias, as Great Expectations gives one, unless a join has to name the rows itself.
    alias = "" if "{batch} as " in rule.query else " as batch"
    return rule.query.format(batch=f"({rows}){alias}")


@dataclass(frozen=True)
class Counted:
    """Numbers of rows, for rules that ask for these.

    Attributes:
        rows: Of what is checked.
        raw: Of raw tables, by relation, as far as they are known.
    """

    rows: int
    raw: Mapping[Relation, int] = field(default_factory=dict)


def statements(questions: Sequence[Question], counted: Counted) -> list[tuple[Sequence[Rule], str]]:
    """Statements that find what fails, each with its rules: one pass over the same rows, and one for all that takes a query."""
    by_rows: dict[str, list[Rule]] = {}
    for question in questions:
        if question.rule.condition:
            by_rows.setdefault(question.asked.rows, []).append(question.rule)
    passes: list[tuple[Sequence[Rule], str]] = [(rules, one_pass(rules, rows)) for rows, rules in by_rows.items()]
    queries = [question for question in questions if not question.rule.condition]
    if queries:
        parts = "\nunion all\n".join(_found_by(question, counted) for question in queries)
        passes.append(([question.rule for question in queries], f"insert into {FOUND}\n{parts}"))
    return passes


def one_pass(rules: Iterable[Rule], rows: str) -> str:
    """One statement for rules that are conditions: a row is looked at closer only if it breaks any of them."""
    listed = [*rules]
    is_broken = " or ".join(f"({rule.condition})" for rule in listed)
    each = ",\n".join(f"({literal(rule.check)}, ({rule.condition}), {_observed(rule)}, {_key(rule, 'this')})" for rule in listed)
    return (
        f"insert into {FOUND}\nselect rule.check_name, coalesce(rule.key, cast(rule.observed as jsonb)), rule.observed\n"
        f"from (select * from ({rows}) as this where {is_broken}) as this\n"
        f"cross join lateral (values\n{each}\n) as rule (check_name, is_broken, observed, key)\nwhere rule.is_broken"
    )


def _observed(rule: Rule) -> str:
    return f"(select to_json(shown) from (select {columns(rule.shown, 'this')}) as shown)"


def _found_by(question: Question, counted: Counted) -> str:
    rule = question.rule
    query = with_raw_counts(failing_query(rule, question.asked.rows), counted.raw)
    if rule.reach is Reach.RECORDS:
        query = with_count(query, counted.rows)
    return (
        f"select {literal(rule.check)}, coalesce({_key(rule, 'failing')}, cast(to_json(failing) as jsonb)), to_json(failing)\n"
        f"from ({query}) as failing"
    )


def _key(rule: Rule, of: str) -> str:
    """What a failing row is known again by: its key, or all that is shown of a row without one; a fact about the table needs nothing."""
    if rule.key:
        return document(rule.key, of)
    return "cast(null as jsonb)" if rule.reach is Reach.ROW else "cast('{}' as jsonb)"


def document(names: Iterable[str], of: str) -> str:
    """SQL of a document with these columns."""
    return f"jsonb_build_object({', '.join(f'{literal(name)}, {of}.{columns([name])}' for name in names)})"
