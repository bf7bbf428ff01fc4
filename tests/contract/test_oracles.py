"""Every mart of a system is held against an oracle over its source."""

from dagster_project.contracts.loading import load_contracts
from tests.dbt_manifest import Manifest, marts_of, project_manifest
from tests.oracles.oracles import oracles

# Its marts are held against the source's own views, and against peer libraries: test_parity, test_accuracy, test_leaderboard.
HELD_OTHERWISE = {"forecast_tracking"}


def marts_with_an_oracle(manifest: Manifest) -> set[tuple[str, str]]:
    """System and mart of all that need one: those of one system, and fct_runs of each. A history holds what its mart has held."""
    histories = marts_of(manifest, "mart_history")
    of_a_system = {(node["fqn"][2], mart) for mart, node in marts_of(manifest).items() if mart not in histories}
    executions = {
        (macro["path"].split("/")[1], "fct_runs") for macro in manifest["macros"].values() if macro["name"].endswith("__executions")
    }
    return {(system, mart) for system, mart in of_a_system if system in load_contracts() and system not in HELD_OTHERWISE} | executions


def test_every_mart_of_a_system_has_an_oracle() -> None:
    assert {(oracle.system, oracle.mart) for oracle in oracles()} == marts_with_an_oracle(project_manifest())
