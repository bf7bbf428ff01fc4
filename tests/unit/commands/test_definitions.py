"""What the command line says when the definitions cannot be loaded."""

import pytest

from dagster_project import definitions
from dagster_project.commands.runs import loaded_definitions
from dagster_project.errors import RunmartError


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    loaded_definitions.cache_clear()


def _load() -> None:
    try:
        raise RunmartError("suite.json: not valid JSON")
    except RunmartError as error:
        raise ValueError("pages of a tree") from error


def test_refused_file_is_the_one_line_that_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "defs", _load)
    with pytest.raises(RunmartError, match=r"^suite\.json: not valid JSON$"):
        loaded_definitions()


def test_fault_of_our_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "defs", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loaded_definitions()
