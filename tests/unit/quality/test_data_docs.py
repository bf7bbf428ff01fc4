"""The pages: whole, offline, escaped, and not more of them than are kept."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.quality.data_docs import KEPT_VALIDATIONS, write_page
from dagster_project.quality.suites import Severity, load_suites
from dagster_project.quality.validation import CheckResult, Validation

SUITE = load_suites()["forecast_tracking.metrics"]
STARTED = datetime(2025, 6, 1, 12, tzinfo=UTC)
PASSED = CheckResult("metrics__a", "All is well.", "any", None, Severity.CRITICAL, True, 1234, 0, (), "select 1;", None)
FAILED = replace(
    PASSED,
    check_name="metrics__b",
    is_success=False,
    failing_rows=21,
    failing_sample=({"metric_id": 7, "metric_name": "<script>alert(1)</script>", "metric_value": None},),
    failing_query="select metric_id from metrics where metric_value < 0;",
)
UNEVALUATED = replace(PASSED, check_name="metrics__c", is_success=False, failing_rows=None, error='column "x" does not exist')


def _write(folder: Path, *results: CheckResult, minutes: int = 0) -> Path:
    return write_page(folder, SUITE, Validation(SUITE.name, STARTED + timedelta(minutes=minutes), 0.25, results), "run-1")


def test_page_shows_failing_rows_counts_and_query(tmp_path: Path) -> None:
    html = _write(tmp_path, PASSED, FAILED, UNEVALUATED).read_text(encoding="utf-8")
    assert "21 failing rows of 1,234, 1 of them shown" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "select metric_id from metrics where metric_value &lt; 0;" in html
    assert "column &#34;x&#34; does not exist" in html
    assert html.index("metrics__b") < html.index("metrics__a")


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ((PASSED,), "passed"),
        ((PASSED, replace(FAILED, severity=Severity.WARNING)), "warned"),
        ((PASSED, FAILED), "failed"),
        ((UNEVALUATED,), "failed"),
    ],
)
def test_index_shows_the_newest_verdict_and_links_to_it(tmp_path: Path, results: tuple[CheckResult, ...], verdict: str) -> None:
    _write(tmp_path, PASSED)
    page = _write(tmp_path, *results, minutes=1)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f'<td class="verdict {verdict}">{verdict}</td>' in html
    links = re.findall(r'href="([^"]+)"', html)
    assert links[0] == page.relative_to(tmp_path).as_posix()
    assert all((tmp_path / link).is_file() for link in links)


def test_only_the_newest_pages_are_kept(tmp_path: Path) -> None:
    written = [_write(tmp_path, PASSED, minutes=minutes) for minutes in range(KEPT_VALIDATIONS + 3)]
    assert sorted(tmp_path.glob("*/*/*")) == written[3:]


def test_pages_load_nothing_from_a_network(tmp_path: Path) -> None:
    _write(tmp_path, PASSED, FAILED)
    for page in tmp_path.rglob("*.html"):
        assert not re.search(r"https?://|src=|@import|url\(", page.read_text(encoding="utf-8"))
