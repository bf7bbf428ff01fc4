"""The pages: whole, offline, escaped, and not more of them than are kept."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import pytest

from dagster_project.quality.data_docs import KEPT_VALIDATIONS, write_index, write_page
from dagster_project.quality.suites import Severity, load_suites
from dagster_project.quality.validation import CheckResult, Validation

SUITE = load_suites()["forecast_tracking.metrics"]
STARTED = datetime(2025, 6, 1, 12, tzinfo=UTC)
PASSED = CheckResult("metrics__a", "All is well.", "any", None, Severity.CRITICAL, True, 1234, 0, (), "select 1;", None, 7, is_kept=False)
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
    page = write_page(folder, SUITE, Validation(SUITE.name, STARTED + timedelta(minutes=minutes), 0.25, results), "run-1")
    write_index(folder)
    return page


def test_page_shows_failing_rows_counts_and_query(tmp_path: Path) -> None:
    html = _write(tmp_path, PASSED, FAILED, UNEVALUATED).read_text(encoding="utf-8").replace("<wbr>", "")
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


WIDE = replace(
    FAILED,
    check_name="metrics__" + "_".join(["name"] * 15),
    description="a_word_without_a_blank" * 10,
    failing_sample=({f"column_{number}": "a value that is long" * 5 for number in range(30)},),
    failing_query="select " + "a" * 500,
)
WORDY = replace(UNEVALUATED, error='column "' + "x" * 63 + '" does not exist')


def test_every_table_fits_a_narrow_screen_or_scrolls_within_itself(tmp_path: Path) -> None:
    """As far as markup tells: rows that become blocks name their figures, since the head of the table is gone then."""
    _write(tmp_path, PASSED, WIDE)
    for page in tmp_path.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        tables = re.findall(r'(<div class="scroll"[^>]*>)?<table( class="rows")?>', html)
        assert tables
        assert all(bool(scrolls) != bool(rows) for scrolls, rows in tables)
        assert len(re.findall(r'<td class="number" data-label="\w+">', html)) == html.count('<td class="number"') > 0


# Frames of several widths, as a page sees a screen; each says by how much what is in it is wider.
MEASURE = """
const frames = [...document.querySelectorAll("iframe")];
addEventListener("load", () => {
  document.body.textContent = frames.map(({contentDocument: {documentElement: page}}) => page.scrollWidth - page.clientWidth).join(" ");
});
"""
WIDTHS = [320, 390, 768, 1001, 1280]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_no_page_is_wider_than_the_screen(tmp_path: Path) -> None:
    for minutes in range(KEPT_VALIDATIONS):
        page = _write(tmp_path / "docs", PASSED, WIDE, WORDY, minutes=minutes)
    for path in (page, tmp_path / "docs" / "index.html"):
        content = escape(path.read_text(encoding="utf-8"))
        frames = "".join(f'<iframe style="width: {width}px; border: 0" srcdoc="{content}"></iframe>' for width in WIDTHS)
        screens = tmp_path / "screens.html"
        screens.write_text(f"<!doctype html><body>{frames}<script>{MEASURE}</script></body>", encoding="utf-8")
        command = [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
        done = subprocess.run([*command, screens.as_uri()], capture_output=True, text=True, check=True)
        found = re.search("<body>(.*)</body>", done.stdout, re.DOTALL)
        assert found
        assert dict(zip(WIDTHS, map(int, found[1].split()), strict=True)) == dict.fromkeys(WIDTHS, 0)
