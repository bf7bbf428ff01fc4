"""Which tenants a run would find something to do for, with what they are asked replaced."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dagster_project.errors import RunmartError
from dagster_project.resources import news
from dagster_project.resources.databases import Databases
from dagster_project.resources.news import tenants_with_news
from dagster_project.resources.tenants import Tenant
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse, of_tenants

TENANTS = [Tenant(name, name, True, f"postgresql://db.example.org/{name}") for name in ("acme", "north")]
DATABASES = Databases(Settings(Path("/nowhere"), source_urls={"llm_usage": "postgresql://db.example.org/llm_usage"}))


@pytest.fixture
def nothing_new(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """All refreshes are current, the second one of each tenant is handed over, and no source has changed."""
    monkeypatch.setattr(news, "tenant_warehouse", lambda *names: Warehouse("", Path(), of_tenants("llm_workflow"), tenant=names[-1]))
    monkeypatch.setattr(news, "current_refresh", lambda _: object())
    monkeypatch.setattr(news, "source_of", lambda *_: "")
    monkeypatch.setattr(news, "look", lambda *_: [])
    monkeypatch.setattr(news, "last_refresh_of", lambda _: 2)
    monkeypatch.setattr(news, "handed_over_by_tenant", lambda *_: {"acme": 2, "north": 2})
    return monkeypatch


def test_tenants_without_news_are_left_alone(nothing_new: pytest.MonkeyPatch) -> None:
    assert tenants_with_news(DATABASES, "llm_workflow", TENANTS) == []


@pytest.mark.parametrize("handed_over", [{"acme": 2, "north": 1}, {"acme": 2}])
def test_what_was_not_handed_over_is_news(nothing_new: pytest.MonkeyPatch, handed_over: Mapping[str, int]) -> None:
    nothing_new.setattr(news, "handed_over_by_tenant", lambda *_: handed_over)
    assert tenants_with_news(DATABASES, "llm_workflow", TENANTS) == ["north"]


def test_where_nobody_says_what_was_handed_over_all_have_news(nothing_new: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Mapping[str, int]:
        raise RunmartError("nobody answers")

    nothing_new.setattr(news, "handed_over_by_tenant", fail)
    assert tenants_with_news(DATABASES, "llm_workflow", TENANTS) == ["acme", "north"]


def test_where_tenants_hand_over_nothing_it_is_not_asked(nothing_new: pytest.MonkeyPatch) -> None:
    nothing_new.setattr(news, "receiver_of", lambda _: None)
    nothing_new.setattr(news, "handed_over_by_tenant", lambda *_: pytest.fail("it was asked"))
    assert tenants_with_news(DATABASES, "llm_workflow", TENANTS) == []


def test_a_source_with_something_new_is_news(nothing_new: pytest.MonkeyPatch) -> None:
    nothing_new.setattr(news, "look", lambda contract, *_: [contract.system])
    assert tenants_with_news(DATABASES, "llm_workflow", TENANTS[:1]) == ["acme"]
