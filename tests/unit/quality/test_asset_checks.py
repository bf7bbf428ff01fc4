"""Suites as Dagster checks: keys, names, what blocks."""

import dagster as dg

from dagster_project.defs.quality import FIT, expectation_checks
from dagster_project.quality import accounting
from dagster_project.quality.suites import load_suites
from dagster_project.warehouse import DEFAULT

SUITE = load_suites()["forecast_tracking.metrics"]


def test_every_expectation_is_one_check_of_its_asset() -> None:
    specs = list(expectation_checks([SUITE], DEFAULT).check_specs)
    assert {spec.asset_key for spec in specs} == {dg.AssetKey(["forecast_tracking", "metrics"])}
    assert len(specs) == len(SUITE.expectations) + 2
    assert "run_id_has_parent" in {spec.name for spec in specs}


def test_of_marts_only_the_check_that_the_publication_waits_for_blocks() -> None:
    suite = load_suites()["analytics.model_performance"]
    assert [spec.name for spec in expectation_checks([suite], DEFAULT).check_specs if spec.blocking] == [FIT]


def test_of_raw_tables_only_the_check_that_accounts_for_rows_blocks() -> None:
    assert [spec.name for spec in expectation_checks([SUITE], DEFAULT).check_specs if spec.blocking] == [accounting.CHECK]
