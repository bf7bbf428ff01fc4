"""The made-up runs of a tenant: in a real database and a real folder, the same whenever they are made, and all kinds that marts need."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from dagster_project.contracts.loading import load_contracts
from dagster_project.demo.llm_control import fill
from dagster_project.demo.llm_runs import stories
from dagster_project.demo.llm_tenant import RUNS, TenantFillSummary, fill_tenant
from dagster_project.demo.workloads import workloads
from dagster_project.ingestion.sync import sync
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.quality.suites import load_suites
from dagster_project.quality.validation import Project, validate
from dagster_project.resources.embedded import EmbeddedServer
from dagster_project.resources.share import share_of
from dagster_project.warehouse import DEFAULT
from migrations.run import upgrade
from tests.databases import run as rows
from tests.integration.demo.conftest import query

TABLES = ("runs", "steps", "artifacts", "audit_logs", "prompts")


@dataclass(frozen=True)
class Tenant:
    """A filled database and storage, and what was said of it."""

    url: str
    storage: Path
    summary: TenantFillSummary
    lines: tuple[str, ...]

    def column(self, statement: str) -> list[Any]:
        """Values of the only column of a query."""
        return list(query(self.url, statement).iloc[:, 0])


@pytest.fixture(scope="module")
def tenant(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """The tenant acme, whom nobody may change."""
    server.ensure_database("filled_llm_tenant")
    url = server.url("filled_llm_tenant")
    upgrade("llm_workflow", url)
    storage = tmp_path_factory.mktemp("home") / "storage"
    lines: list[str] = []
    summary = fill_tenant(url, "acme", storage, lines.append)
    yield Tenant(url, storage, summary, tuple(lines))
    admin = create_engine(sqlalchemy_url(server.url("postgres")), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("drop database filled_llm_tenant with (force)")
    admin.dispose()


def contents(url: str) -> dict[str, list[str]]:
    return {table: sorted(query(url, f"select cast(t as text) as row from {table} as t")["row"]) for table in TABLES}


def files(storage: Path) -> dict[str, bytes]:
    return {path.relative_to(storage.parent).as_posix(): path.read_bytes() for path in storage.rglob("*") if path.is_file()}


def usages(tenant: Tenant, condition: str = "true") -> list[Any]:
    return tenant.column(f"select token_usage from steps where token_usage is not null and {condition}")


def test_what_was_added_is_told(tenant: Tenant) -> None:
    counts = {table: tenant.column(f"select count(*) from {table}")[0] for table in ("runs", "steps", "artifacts")}
    assert counts == {"runs": tenant.summary.runs, "steps": tenant.summary.steps, "artifacts": tenant.summary.files}
    assert tenant.lines == (
        f"made up for acme: {tenant.summary.runs} runs, {tenant.summary.steps} steps and {tenant.summary.files} files added",
    )


def test_files_are_where_rows_say_with_their_digests_and_sizes(tenant: Tenant) -> None:
    found = query(tenant.url, "select file_path, digest, size_bytes from artifacts").set_index("file_path")
    on_disk = files(tenant.storage)
    assert found["digest"].to_dict() == {path: hashlib.sha256(content).hexdigest() for path, content in on_disk.items()}
    assert found["size_bytes"].to_dict() == {path: len(content) for path, content in on_disk.items()}
    outputs = {path: json.loads(content) for path, content in on_disk.items() if path.endswith("/output.json")}
    assert {output["is_made_up"] for output in outputs.values()} == {True}
    assert {path.split("/")[3] for path in outputs} == {output["step"] for output in outputs.values()}
    assert len(outputs) < len(on_disk)


def test_every_completed_step_has_its_output_and_no_other(tenant: Tenant) -> None:
    completed = tenant.column("select 'storage/acme/' || run_id || '/' || step || '/output.json' from steps where status = 'completed'")
    assert sorted(path for path in files(tenant.storage) if path.endswith("/output.json")) == sorted(completed)


def test_all_kinds_of_runs_and_steps_are_there(tenant: Tenant) -> None:
    assert set(tenant.column("select status from runs")) == {"pending", "running", "paused", "completed", "failed"}
    assert set(tenant.column("select status from steps")) == {"pending", "running", "paused", "completed", "failed", "skipped"}
    for kind, condition in {
        "a call of which no usage is known": "status = 'completed' and llm_model is not null and token_usage is null",
        "a step that was tried again and completed": "status = 'completed' and retry_count > 0 and error_message is not null",
        "a step without a model": "status = 'completed' and llm_model is null",
        "a step that failed, with what it cost": "status = 'failed' and token_usage is not null",
        "a step that failed because nobody answered": "status = 'failed' and token_usage is null and error_message ~ '^no answer'",
        "a model without a price": "llm_model = 'qwen2.5-72b-instruct'",
        "more than 200,000 tokens of input": "token_usage::text ~ '\\y2[0-9]{5}\\y'",
    }.items():
        assert tenant.column(f"select count(*) from steps where {condition}")[0] > 0, kind
    assert tenant.column(
        "select count(*) from runs where status = 'completed' and updated_at >"
        " (select max(completed_at) + interval '1 week' from steps where run_id = runs.id)"
    ) == [RUNS // 20]


def test_a_deleted_run_is_in_the_audit_log_alone(tenant: Tenant) -> None:
    deleted = tenant.column("select resource_id from audit_logs where action = 'run.delete'")
    assert len(deleted) == RUNS // 20
    assert tenant.summary.runs == RUNS - len(deleted)
    for run in deleted:
        assert tenant.column(f"select count(*) from runs where id = '{run}'") == [0]
        assert not (tenant.storage / "acme" / run).exists()
        assert tenant.column(f"select count(*) from audit_logs where action = 'run.start' and resource_id = '{run}'") == [1]


def test_a_model_goes_by_a_new_name_from_the_middle_of_a_day_on(tenant: Tenant) -> None:
    spans = query(
        tenant.url,
        "select llm_model, min(started_at) as first, max(started_at) as last from steps where llm_model ~ '^gemini-2.5-flash' group by 1",
    ).set_index("llm_model")
    before, after = spans.loc["gemini-2.5-flash-preview-09-2025"], spans.loc["gemini-2.5-flash"]
    assert before["last"] < after["first"]


def test_every_call_names_the_version_of_its_prompt(tenant: Tenant) -> None:
    versions = query(
        tenant.url,
        "select p.step, p.version, p.is_active, count(s.id) as uses from prompts p left join steps s"
        " on s.step = p.step and s.prompt_version = p.version group by 1, 2, 3 order by 1, 2",
    )
    assert versions.groupby("step")["is_active"].sum().tolist() == [1, 1, 1, 1]
    assert sorted(versions.loc[versions["uses"] == 0, "step"]) == ["review"]
    assert tenant.column("select count(*) from steps where (llm_model is null) <> (prompt_version is null)") == [0]


# By a key that no other shape has.
SHAPES = {
    "anthropic": "cache_creation",
    "openai chat": "accepted_prediction_tokens",
    "openai responses": "input_tokens_details",
    "gemini": "promptTokenCount",
    "litellm": "text_tokens",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_usage_comes_in_every_shape(tenant: Tenant, shape: str) -> None:
    assert [usage for usage in usages(tenant) if f'"{SHAPES[shape]}"' in json.dumps(usage)]


def test_parts_of_tokens_are_no_more_than_their_whole(tenant: Tenant) -> None:
    counted = 0
    for usage in usages(tenant, "jsonb_typeof(token_usage) = 'object'"):
        match usage:
            case {"prompt_tokens": whole, "completion_tokens": written, "total_tokens": total, "prompt_tokens_details": read}:
                assert total == whole + written
                parts = read["cached_tokens"] + read.get("cache_creation_tokens", 0)
                assert parts <= whole
                assert read.get("text_tokens", whole - parts) == whole - parts
                assert usage["completion_tokens_details"]["reasoning_tokens"] < written
            case {"input_tokens": whole, "output_tokens": written, "total_tokens": total, "input_tokens_details": read}:
                assert total == whole + written
                assert read["cached_tokens"] <= whole
                assert usage["output_tokens_details"]["reasoning_tokens"] < written
            case {"promptTokenCount": whole, "candidatesTokenCount": written, "totalTokenCount": total}:
                assert total == whole + written + usage.get("thoughtsTokenCount", 0)
                assert usage.get("cachedContentTokenCount", 0) <= whole
            case {"cache_creation": by_lifetime, "cache_creation_input_tokens": written}:
                assert sum(by_lifetime.values()) == written
            case _:
                pytest.fail(f"no shape is {usage}")
        counted += 1
    assert counted > 50


def test_a_streamed_answer_reports_usage_twice_and_more_the_second_time(tenant: Tenant) -> None:
    reports = usages(tenant, "jsonb_typeof(token_usage) = 'array'")
    written = [[report.get("output_tokens", report.get("candidatesTokenCount")) for report in usage] for usage in reports]
    assert all(len(counts) == 2 and counts[0] < counts[1] for counts in written)
    assert {"promptTokenCount" in usage[0] for usage in reports} == {True, False}


def test_a_second_fill_changes_nothing(tenant: Tenant) -> None:
    before = contents(tenant.url), files(tenant.storage)
    assert fill_tenant(tenant.url, "acme", tenant.storage, lambda _: None) == TenantFillSummary(runs=0, steps=0, files=0)
    assert (contents(tenant.url), files(tenant.storage)) == before


def test_the_same_tenant_is_the_same_anywhere_and_another_is_not(
    tenant: Tenant, new_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_database("llm_workflow")
    fill_tenant(url, "acme", tmp_path / "storage", lambda _: None)
    assert contents(url) == contents(tenant.url)
    assert files(tmp_path / "storage") == files(tenant.storage)
    other = new_database("llm_workflow")
    fill_tenant(other, "north", tmp_path / "elsewhere", lambda _: None)
    ids = "select id::text from runs"
    assert set(query(other, ids)["id"]).isdisjoint(query(url, ids)["id"])
    assert {path.split("/")[1] for path in files(tmp_path / "elsewhere")} == {"north"}


def test_what_is_missing_comes_back_and_what_was_changed_stays(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url, storage = new_database("llm_workflow"), tmp_path / "storage"
    fill_tenant(url, "acme", storage, lambda _: None, runs=4)
    first, second, *_ = sorted(storage.rglob("output.json"))
    first.unlink()
    second.write_text("changed")
    rows(url, "delete from steps where step = 'publish'")
    rows(url, "update runs set status = 'failed'")
    assert fill_tenant(url, "acme", storage, lambda _: None, runs=4) == TenantFillSummary(runs=0, steps=3, files=1)
    assert first.exists()
    assert second.read_text() == "changed"
    assert query(url, "select distinct status from runs")["status"].tolist() == ["failed"]


def test_more_runs_leave_those_before_as_they_are() -> None:
    assert list(stories("acme", 30))[:10] == list(stories("acme", 10))


def test_models_are_those_of_the_control_database_but_one(tenant: Tenant, new_database: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database("llm_control")
    fill(url, tmp_path, lambda _: None)
    known = set(query(url, "select model_name from llm_models")["model_name"])
    used = set(tenant.column("select llm_model from steps where llm_model is not null"))
    assert used - known == {"qwen2.5-72b-instruct"}


def test_no_check_fails_on_it(tenant: Tenant, new_database: Callable[[str], str], tmp_path: Path) -> None:
    contracts = load_contracts()
    control, warehouse = new_database("llm_control"), new_database("warehouse")
    fill(control, tmp_path, lambda _: None)
    rows(control, "insert into tenants (id, name, database_url) values ('acme', 'Acme', 'postgresql://acme')")
    sources = {"llm_control": control, "llm_workflow": tenant.url}
    for system, url in sources.items():
        sync(contracts[system], url, warehouse)
    suites = [suite for suite in load_suites().values() if suite.system in sources]
    results = {suite.name: validate(warehouse, suite, Project(contracts, share_of(DEFAULT).plan)).results for suite in suites}
    assert len(results) == sum(len(contracts[system].tables) for system in sources)
    assert [(name, result.check_name) for name, found in results.items() for result in found if not result.is_success] == []


def test_it_is_no_workload_of_a_system() -> None:
    assert "llm_control" in [workload.system for workload in workloads()]
    assert "llm_workflow" not in [workload.system for workload in workloads()]
