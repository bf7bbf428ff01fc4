"""Suites as Dagster checks: keys, names, what blocks."""

import dagster as dg

from dagster_project.defs.quality import expectation_checks
from dagster_project.quality.suites import Severity, load_suites
from dagster_project.warehouse import DEFAULT

SUITE = load_suites()["forecast_tracking.metrics"]


def test_every_expectation_is_one_check_of_its_asset() -> None:
    specs = list(expectation_checks([SUITE], DEFAULT).check_specs)
    assert {spec.asset_key for spec in specs} == {dg.AssetKey(["forecast_tracking", "metrics"])}
    assert len(specs) == len(SUITE.expectations)
    assert "run_id_has_parent" in {spec.name for spec in specs}


def test_critical_checks_block_and_warnings_do_not() -> None:
    blocking = {spec.name: spec.blocking for spec in expectation_checks([SUITE], DEFAULT).check_specs}
    assert blocking == {item.meta.check: item.severity is Severity.CRITICAL for item in SUITE.expectations}
    assert set(blocking.values()) == {True, False}
