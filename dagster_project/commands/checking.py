"""What there is to know of checks without running them: how they are asked, and which rows fail.

Belongs here: reading suites and the ledger for a command. Does not belong here: asking (`quality.validation`), and how results look
(`check_cli`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.postgres.roles import TRANSFORM
from dagster_project.quality import ledger
from dagster_project.quality.ledger import FailingRow
from dagster_project.quality.rules import Reach, rule
from dagster_project.quality.suites import load_suites
from dagster_project.resources.databases import Databases
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such


@dataclass(frozen=True)
class PlannedSuite:
    """How the checks of a suite are asked.

    Attributes:
        suite: Its name.
        numbers: How many are of single rows, of groups, of all rows and of records, and how many Great Expectations asks.
        natively: The checks that Great Expectations asks.
    """

    suite: str
    numbers: tuple[int, ...]
    natively: tuple[str, ...]


def planned() -> list[PlannedSuite]:
    """How all checks are asked, suite by suite."""
    found = []
    for suite in load_suites().values():
        rules = {expectation.meta.check: rule(suite, expectation) for expectation in suite.expectations}
        reaches = Counter(each.reach for each in rules.values() if each)
        natively = tuple(check for check, each in rules.items() if each is None)
        found.append(PlannedSuite(suite.name, (*(reaches[reach] for reach in Reach), len(natively)), natively))
    return found


def failing_rows(databases: Databases, asset: str, check: str, most: int | None) -> tuple[int, Sequence[FailingRow]]:
    """How many rows fail a check, and the first of them, or all.

    Args:
        databases: Where they are.
        asset: Key of the asset that the check is of, `<system>/<table>` or `analytics/<mart>`.
        check: Name of the check.
        most: How many rows at most; None for all.

    Raises:
        ConfigurationError: There is no such check.
    """
    suites = {"/".join(suite.asset_key): suite for suite in load_suites().values()}
    if asset not in suites:
        raise ConfigurationError(no_such("asset", asset, list(suites), " that has checks"))
    checks = [expectation.meta.check for expectation in suites[asset].expectations]
    if check not in checks:
        raise ConfigurationError(no_such("check", check, checks, f" of {asset}"))
    with databases.warehouse().connection(TRANSFORM) as connection, connection.cursor() as cursor:
        return ledger.open_rows(cursor, asset).get(check, 0), ledger.failing_rows(cursor, asset, check, most)
