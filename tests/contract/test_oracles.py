"""Every mart of a system that Runmart builds is held against an oracle over its source."""

from dagster_project.contracts.loading import load_contracts
from dagster_project.settings import has_migrations
from tests.dbt_manifest import Manifest, marts_of, project_manifest
from tests.oracles.oracles import oracles

# Its marts are held against the source's own views, and against peer libraries: test_parity, test_accuracy, test_leaderboard.
HELD_OTHERWISE = {"forecast_tracking"}


def needing_an_oracle(manifest: Manifest) -> set[tuple[str, str]]:
    """System and mart: the marts of one system, and fct_runs of each that brings executions. A history holds what its mart has held."""
    built = {system for system in load_contracts() if has_migrations(system)}
    marts = {(node["fqn"][2], mart) for mart, node in marts_of(manifest).items() if mart not in marts_of(manifest, "mart_history")}
    executions = {
        (macro["path"].split("/")[1], "fct_runs") for macro in manifest["macros"].values() if macro["name"].endswith("__executions")
    }
    return {(system, mart) for system, mart in marts if system in built - HELD_OTHERWISE} | {
        each for each in executions if each[0] in built
    }


def test_every_mart_of_a_system_has_an_oracle() -> None:
    needing = needing_an_oracle(project_manifest())
    assert needing
    assert needing <= {(oracle.system, oracle.mart) for oracle in oracles()}
