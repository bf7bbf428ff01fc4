"""Suites as Dagster checks: keys, names, what blocks."""

import dagster as dg

from dagster_project.defs.quality import expectation_checks
from dagster_project.quality import accounting
from dagster_project.quality.suites import Severity, load_suites
from dagster_project.warehouse import DEFAULT

SUITE = load_suites()["forecast_tracking.metrics"]


def test_every_expectation_is_one_check_of_its_asset() -> None:
    specs = list(expectation_checks([SUITE], DEFAULT).check_specs)
    assert {spec.asset_key for spec in specs} == {dg.AssetKey(["forecast_tracking", "metrics"])}
    assert len(specs) == len(SUITE.expectations) + 2
    assert "run_id_has_parent" in {spec.name for spec in specs}


def test_critical_checks_of_marts_block_and_warnings_do_not() -> None:
    suite = load_suites()["analytics.model_performance"]
    blocking = {spec.name: spec.blocking for spec in expectation_checks([suite], DEFAULT).check_specs}
    assert blocking == {item.meta.check: item.severity is Severity.CRITICAL for item in suite.expectations}


def test_of_raw_tables_only_the_check_that_accounts_for_rows_blocks() -> None:
    assert [spec.name for spec in expectation_checks([SUITE], DEFAULT).check_specs if spec.blocking] == [accounting.CHECK]
