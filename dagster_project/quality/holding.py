"""Which raw tables hold back the marts that read them: too much of them is wrong for single rows to be set aside.

Belongs here: the reasons, and keeping them in quality.held_tables. Does not belong here: setting rows aside (`quarantine`), and leaving
marts as they are (`marts.held`, which reads what is kept).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import IS_LIVE
from dagster_project.marts.postgres.names import relation
from dagster_project.postgres.cursors import one_row
from dagster_project.quality import counted_rows, verdicts
from dagster_project.quality.rules import rule
from dagster_project.quality.suites import Expectation, Severity, Suite

# The check of each raw table that says whether it does, in Dagster.
CHECK = "is_fit_for_marts"

# Fewer failing rows are set aside, however small the table is.
FEWEST_ROWS = 10

_FAILING = """
select count(distinct key) from quality.failing_rows where asset_key = %s and check_name = any(%s) and resolved_at is null
"""


@dataclass(frozen=True)
class Finding:
    """Why a raw table holds back marts: in words, and whether so many single rows fail that none of them is set aside."""

    reason: str
    is_outage: bool


def blames_rows(suite: Suite, expectation: Expectation) -> bool:
    """Whether a critical expectation says which rows are wrong, by their key, so that they can be set aside."""
    if expectation.severity is not Severity.CRITICAL or expectation.meta.level != "row":
        return False
    known = rule(suite, expectation)
    return known is not None and bool(known.key) and known.key == suite.meta.key


def rules_on_rows(suite: Suite) -> list[str]:
    """Names of the checks whose failing rows are set aside."""
    return [expectation.meta.check for expectation in suite.expectations if blames_rows(suite, expectation)]


def findings(cursor: Cursor, contract: SystemContract, suites: Collection[Suite]) -> dict[str, Finding]:
    """By raw table of a system that holds back marts, as its checks stand, why it does."""
    found = ((suite.table, _finding(cursor, contract, suite)) for suite in suites)
    return {table: finding for table, finding in found if finding}


def keep(cursor: Cursor, system: str, found: Mapping[str, str]) -> None:
    """Write down which tables of a system hold back marts, each since it was first found."""
    cursor.execute("delete from quality.held_tables where system = %s and table_name <> all(%s)", (system, list(found)))
    execute_values(
        cursor,
        "insert into quality.held_tables (system, table_name, reason) values %s "
        "on conflict (system, table_name) do update set reason = excluded.reason where held_tables.reason <> excluded.reason",
        [(system, table, reason) for table, reason in found.items()],
    )


def _finding(cursor: Cursor, contract: SystemContract, suite: Suite) -> Finding | None:
    failing, on_rows = verdicts.failing(cursor, suite), rules_on_rows(suite)
    of_table = [check for check, verdict in failing.items() if verdict.error or check not in on_rows]
    outage = _outage(cursor, contract, suite, [check for check in failing if check not in of_table])
    reasons = [f"it fails {', '.join(of_table)}"] if of_table else []
    return Finding("; ".join([*reasons, outage] if outage else reasons), bool(outage)) if reasons or outage else None


def _outage(cursor: Cursor, contract: SystemContract, suite: Suite, failing: Sequence[str]) -> str:
    """That too many rows fail, in words; empty if they do not."""
    if not failing:
        return ""
    cursor.execute(_FAILING, ("/".join(suite.asset_key), list(failing)))
    (rows,) = one_row(cursor)
    if rows < FEWEST_ROWS:
        return ""
    total = counted_rows.of_raw(cursor, suite.system, suite.table)
    if total is None:
        cursor.execute(f"select count(*) from {relation(contract.raw_schema, suite.table)} where {IS_LIVE}")
        (total,) = one_row(cursor)
    share = suite.meta.quarantined_share
    return f"{rows:,} of {total:,} rows fail {', '.join(failing)}, more than {share:.2%}" if rows > share * total else ""
