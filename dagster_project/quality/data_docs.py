"""Data Docs: static pages that show what was checked and what came of it, readable without a network or a server.

Belongs here: the pages under `<home>/data_docs` and how long they are kept. Does not belong here: verdicts (`validation`). Pages of our
own, since those of Great Expectations load scripts from a CDN and are empty without it. One page per validation, named
`<when>_<checks>_<failed>_<warned>.html` in `<system>/<table>/`, so the index is made from names alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from dagster_project.quality.suites import Severity, Suite
from dagster_project.quality.validation import CheckResult, Validation

KEPT_VALIDATIONS = 20

_WHEN = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Page:
    """One validation's page, as its name tells it.

    Attributes:
        path: The file.
        validated_at: When the validation started.
        checks: How many checks it had.
        failed: How many critical ones failed.
        warned: How many of the others failed.
    """

    path: Path
    validated_at: datetime
    checks: int
    failed: int
    warned: int

    @property
    def verdict(self) -> str:
        """`failed`, `warned` or `passed`."""
        return "failed" if self.failed else "warned" if self.warned else "passed"


def write_page(folder: Path, suite: Suite, validation: Validation, run_id: str) -> Path:
    """Write the page of a validation, and drop the oldest of the same table.

    Args:
        folder: Root of the Data Docs; made if it is missing.
        suite: What was checked.
        validation: What came of it.
        run_id: Identity of the run that checked.

    Returns:
        The page.
    """
    counts = [len(validation.results), *(_failed(validation, severity) for severity in (Severity.CRITICAL, Severity.WARNING))]
    name = "_".join([validation.validated_at.strftime(_WHEN), *map(str, counts)])
    path = folder.joinpath(*suite.asset_key) / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    results = sorted(validation.results, key=_order)
    _replace(path, _template("validation").render(suite=suite, validation=validation, results=results, page=_page(path), run_id=run_id))
    for old in _pages(path.parent)[KEPT_VALIDATIONS:]:
        old.path.unlink(missing_ok=True)
    return path


def forget_pages(folder: Path, asset: tuple[str, str], word: str) -> None:
    """Remove the pages of an asset that show a word."""
    for page in folder.joinpath(*asset).glob("*.html"):
        if word in page.read_text(encoding="utf-8"):
            page.unlink(missing_ok=True)
    if folder.exists():
        write_index(folder)


def write_index(folder: Path) -> None:
    """Write the page that leads to all others.

    Args:
        folder: Root of the Data Docs.
    """
    tables = {table.relative_to(folder).as_posix(): _pages(table) for table in sorted(folder.glob("*/*/"))}
    _replace(
        folder / "index.html", _template("index").render(folder=folder, tables={name: pages for name, pages in tables.items() if pages})
    )


def _failed(validation: Validation, severity: Severity) -> int:
    return sum(not result.is_success for result in validation.results if result.severity is severity)


def _order(result: CheckResult) -> tuple[bool, bool]:
    """Failures first, the critical ones before the others."""
    return result.is_success, result.severity is Severity.WARNING


def _page(path: Path) -> Page:
    when, *counts = path.stem.split("_")
    checks, failed, warned = map(int, counts)
    return Page(path, datetime.strptime(when, _WHEN).replace(tzinfo=UTC), checks, failed, warned)


def _pages(table: Path) -> list[Page]:
    """Pages of a table, the newest first."""
    return [_page(path) for path in sorted(table.glob("*.html"), reverse=True)]


def _replace(path: Path, text: str) -> None:
    # Two runs may write at once, and a browser may read: the file is whole at every moment.
    unfinished = path.with_suffix(f".{datetime.now(UTC).strftime(_WHEN)}.tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("dagster_project.quality"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(f"{name}.html.j2")
