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
from dagster_project.quality.stored_files import CHECK as FILES
from dagster_project.quality.stored_files import tables_with_files
from dagster_project.resources.databases import Databases
from dagster_project.resources.share import Share, share_of
from dagster_project.resources.tenants import known_warehouse, the_system
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such
from dagster_project.warehouse import DEFAULT


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
    for suite in share_of(DEFAULT).suites.values():
        rules = {expectation.meta.check: rule(suite, expectation) for expectation in suite.expectations}
        reaches = Counter(each.reach for each in rules.values() if each)
        natively = tuple(check for check, each in rules.items() if each is None)
        found.append(PlannedSuite(suite.name, (*(reaches[reach] for reach in Reach), len(natively)), natively))
    return found


def failing_rows(
    databases: Databases, asset: str, check: str, most: int | None, tenant: str | None = None
) -> tuple[int, Sequence[FailingRow]]:
    """How many rows fail a check, and the first of them, or all.

    Args:
        databases: Where they are.
        asset: Key of the asset that the check is of, `<system>/<table>` or `analytics/<mart>`.
        check: Name of the check.
        most: How many rows at most; None for all.
        tenant: The tenant whose warehouse is meant; None for the shared one.

    Raises:
        ConfigurationError: There is no such check, or no such tenant.
    """
    warehouse = known_warehouse(databases, the_system(), tenant) if tenant else databases.warehouse()
    known = _checks_of(share_of(warehouse.namespace))
    if asset not in known:
        raise ConfigurationError(no_such("asset", asset, list(known), " that has checks"))
    if check not in known[asset]:
        raise ConfigurationError(no_such("check", check, known[asset], f" of {asset}"))
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        return ledger.open_rows(cursor, asset).get(check, 0), ledger.failing_rows(cursor, asset, check, most)


def _checks_of(share: Share) -> dict[str, list[str]]:
    """By asset, the checks whose failing rows are kept."""
    found = {"/".join(suite.asset_key): [expectation.meta.check for expectation in suite.expectations] for suite in share.suites.values()}
    for table in (table for contract in share.contracts.values() for table in tables_with_files(contract)):
        found.setdefault(f"{table.system}/{table.name}", []).append(FILES)
    return found
