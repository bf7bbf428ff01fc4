"""Tables for a database that has none: those of the warehouse, or of the source of any system.

Belongs here: how a database comes to its tables. Does not belong here: rows, and the server that it is on.
"""

import re
from collections.abc import Iterable, Iterator

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts
from dagster_project.quality.suites import Suite, load_suites
from dagster_project.scaffold.names import quoted
from dagster_project.settings import has_migrations
from migrations.run import upgrade
from tests.databases import run

# Suites leave precisions out. Most sources have one, and with it no infinity.
_WITH_PRECISION = {"numeric": "numeric(30, 10)"}


def make_tables(kind: str, url: str) -> None:
    """Give an empty database the tables of `warehouse` or of a system: by migrations, or as declared if Runmart does not build it."""
    if has_migrations(kind):
        upgrade(kind, url)
    else:
        make_declared_tables(load_contracts()[kind], url)


def make_declared_tables(contract: SystemContract, url: str) -> None:
    """Give an empty database tables with the columns, keys and foreign keys of a contract, and with the types of raw."""
    run(url, "; ".join(_declared_tables(contract)))


def declared_types(suite: Suite) -> dict[str, str]:
    """Types of the columns of a raw table, as its suite declares them."""
    (expectation,) = [each for each in suite.expectations if each.meta.check == "columns_are_as_declared"]
    return dict(re.findall(r"\('([^']+)', '([^']+)'\)", expectation.kwargs["unexpected_rows_query"]))


def _declared_tables(contract: SystemContract) -> Iterator[str]:
    suites = load_suites()
    names = {table.name: ".".join(map(quoted, table.source.strings)) for table in contract.bound_tables()}
    for table in contract.bound_tables():
        types = declared_types(suites[f"{table.system}.{table.name}"])
        columns = [f"{quoted(column)} {_WITH_PRECISION.get(types[column], types[column])}" for column in table.columns]
        key = [f"primary key ({_listed(table.key)})"] if table.key else []
        yield f"create schema if not exists {quoted(table.source_schema)}"
        yield f"create table {names[table.name]} ({', '.join(columns + key)})"
    references = [(name, reference) for name, table in contract.tables.items() for reference in table.references]
    for parent, referred in {(reference.parent, reference.parent_columns) for _, reference in references}:
        if referred != contract.tables[parent].key:
            yield f"alter table {names[parent]} add unique ({_listed(referred)})"
    for name, reference in references:
        parent = f"{names[reference.parent]} ({_listed(reference.parent_columns)})"
        yield f"alter table {names[name]} add foreign key ({_listed(reference.columns)}) references {parent}"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(quoted, columns))
