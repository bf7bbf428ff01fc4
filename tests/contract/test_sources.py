"""A system's contract agrees with its migrations, if it has any, and declares nothing that may be a secret.

That it agrees with dbt and with the expectations is held in the files beside this one.
"""

import re
import subprocess
import sys
from importlib import import_module

import pytest
from sqlalchemy import MetaData

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contracts
from dagster_project.demo.workloads import workloads
from dagster_project.quality.suites import load_suites
from dagster_project.scaffold.secrets import Decision, Named, judge
from dagster_project.settings import MIGRATIONS_ROOT, PROJECT_ROOT, has_migrations
from migrations.__main__ import main
from tests.tables import declared_types

CONTRACTS = load_contracts()
SUITES = load_suites()

# How columns are called that no contract declares, whoever has decided of it; by what is in them.
NEVER_READ = {
    "password hashes": "password",
    "tokens and their hashes": "token(_id|_hash)?$",
    "hashes of API keys": "key_hash$",
    "webhook URLs and secrets": "^webhook_",
    "URLs of databases": "^database_url$",
    "texts of prompts": "^content$",
    "push subscriptions": "^push_",
    "environment variables": "^env(ironment)?_",
    "context data of sessions": "^context_data$",
}

# The databases that Runmart builds; that of a user's own has no migrations.
MIGRATED = sorted(folder.parent.name for folder in MIGRATIONS_ROOT.glob("*/versions"))


def metadata(system: str) -> MetaData:
    """Tables of a system as its models have them."""
    tables: MetaData = import_module(f"migrations.{system}.models").Base.metadata
    return tables


def secrets(contract: SystemContract) -> list[str]:
    """Declared columns that are secret beyond doubt, by name and type; a column that no suite knows yet may hold any text."""
    found: list[str] = []
    for table in contract.bound_tables():
        types = declared_types(SUITES[f"{table.system}.{table.name}"])
        keys = {*table.key, *table.declared.referring_columns}
        verdicts = judge(table.source.strings[1], [Named(name, types.get(name, "text"), name in keys) for name in table.columns])
        found += [f"{table.name}.{column}" for column, verdict in verdicts.items() if verdict.decision is Decision.LEFT_OUT]
    return found


@pytest.mark.parametrize("system", [system for system in CONTRACTS if has_migrations(system)])
def test_every_table_of_the_source_is_declared_as_it_is(system: str) -> None:
    contract = CONTRACTS[system]
    models = {table.name: table for table in metadata(system).tables.values()}
    assert set(contract.tables) == set(models)
    for name, declared in contract.tables.items():
        model = models[name]
        assert (model.schema or "public") == contract.table(name).source_schema, name
        assert set(declared.columns) <= set(model.columns.keys()), name
        assert declared.key == tuple(column.name for column in model.primary_key), name
        constraints = [
            (constraint.column_keys, constraint.referred_table.name, constraint.elements) for constraint in model.foreign_key_constraints
        ]
        references = {(tuple(columns), parent, tuple(each.column.name for each in referred)) for columns, parent, referred in constraints}
        read = {reference for reference in references if set(reference[0]) <= set(declared.columns)}
        assert {(reference.columns, reference.parent, reference.parent_columns) for reference in declared.references} == read, name


@pytest.mark.parametrize("system", MIGRATED)
def test_every_database_can_be_migrated_from_a_shell(system: str) -> None:
    newest = max(path.name for path in (MIGRATIONS_ROOT / system / "versions").glob("[0-9]*.py")).partition("_")[0]
    command = [sys.executable, "-m", "migrations", system, "heads"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (f"{newest} (head)\n", "", 0)


def test_a_database_without_migrations_is_named_with_the_way_out() -> None:
    with pytest.raises(SystemExit, match=r"^error: there is no folder of migrations 'warehuse'; did you mean warehouse\?$"):
        main(["warehuse", "heads"])


def test_every_database_that_runmart_builds_has_a_workload() -> None:
    """Tenants are added one by one, each is filled by itself, and what they publish is handed over."""
    of_tenants = {system for system, contract in CONTRACTS.items() if contract.tenants or contract.handed_over}
    built = sorted({*MIGRATED} - of_tenants, key=lambda name: (name != "warehouse", name))
    assert ["warehouse", *(workload.system for workload in workloads())] == built
    assert set(MIGRATED) <= {"warehouse", *CONTRACTS}


@pytest.mark.parametrize("system", CONTRACTS)
def test_no_secret_is_declared(system: str) -> None:
    assert secrets(CONTRACTS[system]) == []


def test_a_declared_secret_is_seen() -> None:
    contract = CONTRACTS["forecast_tracking"]
    users = contract.tables["users"].model_copy(update={"columns": (*contract.tables["users"].columns, "email")})
    assert secrets(contract.model_copy(update={"tables": {**contract.tables, "users": users}})) == ["users.email"]


@pytest.mark.parametrize("kind", NEVER_READ)
def test_what_is_never_read_is_in_no_contract(kind: str) -> None:
    """A name may leave doubt, about which a contract decides; of these it does not."""
    found = [
        (f"{system}.{table.name}.{column.name}", column.name in contract.tables[table.name].columns)
        for system, contract in CONTRACTS.items()
        if has_migrations(system)
        for table in metadata(system).sorted_tables
        for column in table.columns
        if re.search(NEVER_READ[kind], column.name)
    ]
    assert found
    assert [column for column, is_declared in found if is_declared] == []
