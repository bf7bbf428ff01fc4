"""Each private part of dagster-dbt is where Runmart looks for it, and what it takes it for."""

import inspect
from functools import cached_property

from tests.private_parts import ADAPTERS, Part, moved, takes, untold

ADAPTER = ADAPTERS["dagster_dbt"]

PARTS = (
    Part(
        "dagster_dbt:DbtCliResource._cli_version",
        "start dbt without asking the package index first",
        lambda found: isinstance(found, cached_property | property),
    ),
    Part(
        "dagster_dbt:DbtCliResource._initialize_dbt_core_adapter",
        "start dbt without loading it into the process of the run",
        takes("self", ["build"]),
    ),
    Part(
        "dagster_dbt:DbtCliResource.cli",
        "start dbt, through both",
        lambda found: {"_cli_version", "_initialize_dbt_core_adapter"} <= {*inspect.unwrap(found).__code__.co_names},
    ),
)


def test_private_parts_of_dagster_dbt_are_as_they_were() -> None:
    assert moved("dagster-dbt", ADAPTER, PARTS) == []


def test_every_private_part_of_dagster_dbt_is_looked_at() -> None:
    assert untold(ADAPTER, PARTS) == set()
