"""Runmart's own runs in a real database of the pipe service: as Dagster keeps them, once each, and following what happens to them."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRunStatus

from dagster_project.contracts.loading import shared_contracts
from dagster_project.demo import pipe_service
from dagster_project.demo.dagster_runs import STATUSES
from dagster_project.demo.pipe_service import JOBS_OF_A_SYSTEM, JOBS_OF_RUNMART, FillSummary, fill, record
from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.resources.databases import Databases
from tests.databases import run as rows
from tests.integration.demo.conftest import query

TABLES = ("users", "organizations", "organization_members", "pipelines", "pipeline_runs", "storage_files", "api_keys", "audit_logs")
OF_DAGSTER = """
select run_id, pipeline_name as job, status, extract(epoch from create_timestamp at time zone 'UTC')::float8 as create_time, start_time,
    end_time
from runs order by run_id
"""
RUNS = """
select r.id::text as run_id, p.name as job, o.name as organization, r.status, r.error_message, r.metrics, u.email as started_by,
    extract(epoch from r.started_at)::float8 as start_time, extract(epoch from r.completed_at)::float8 as end_time
from pipeline_runs r join pipelines p on p.id = r.pipeline_id join organizations o on o.id = p.organization_id
left join users u on u.id = r.created_by order by r.id::text
"""


@dg.asset
def prices() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows_read": 7, "rows_inserted": 5, "seconds": 0.5, "found_by": "first load"})


@dg.asset_check(asset=prices)
def holds() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=prices)
def holds_not() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset
def broken() -> None:
    raise ValueError("no price is negative\nbut these are")


@dg.asset
def refused() -> None:
    raise dg.Failure("two tables stand still:\nfirst, second")


JOBS = dg.Definitions(
    [prices, broken, refused],
    asset_checks=[holds, holds_not],
    jobs=[
        dg.define_asset_job("sync_forecast_tracking", dg.AssetSelection.assets(prices)),
        dg.define_asset_job("acme__reconcile_forecast_tracking", dg.AssetSelection.assets(broken)),
        dg.define_asset_job("refresh", dg.AssetSelection.assets(refused)),
    ],
)


@pytest.fixture
def dagster_url(new_database: Callable[[str], str]) -> str:
    return new_database("empty")


@pytest.fixture
def instance(dagster_url: str, tmp_path: Path) -> Iterator[DagsterInstance]:
    """On PostgreSQL, with logs of steps where a home has them."""
    storage = {"postgres": {"postgres_url": sqlalchemy_url(dagster_url)}}
    logs = {"module": "dagster.core.storage.local_compute_log_manager", "class": "LocalComputeLogManager"}
    folder = {"base_dir": str(tmp_path / "dagster" / "storage")}
    with dg.instance_for_test(overrides={"storage": storage, "compute_logs": {**logs, "config": folder}}) as instance:
        yield instance


@pytest.fixture
def url(new_database: Callable[[str], str]) -> str:
    return new_database("pipe_service")


def execute(instance: DagsterInstance, job: str, tags: dict[str, str] | None = None) -> str:
    return JOBS.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def contents(url: str) -> dict[str, list[str]]:
    return {table: sorted(query(url, f"select cast(t as text) as row from {table} as t")["row"]) for table in TABLES}


def test_without_runs_all_but_them_is_written_and_said(url: str, instance: DagsterInstance, tmp_path: Path) -> None:
    lines: list[str] = []
    assert record(url, tmp_path, instance, lines.append) == FillSummary(0, 0, 0, 0)
    assert lines == ["there is no run yet: users, organizations, pipelines and keys are written, runs come with the next fill"]
    systems = sorted(shared_contracts())
    assert sorted(query(url, "select name from organizations")["name"]) == sorted(["runmart", *systems])
    counts = {table: int(query(url, f"select count(*) as n from {table}")["n"][0]) for table in TABLES}
    organizations = 1 + len(systems)
    assert counts["organization_members"] == counts["users"] * organizations
    assert counts["api_keys"] == 3 * organizations
    assert counts["pipelines"] == len(JOBS_OF_RUNMART) + 2 * len(systems)
    assert counts["pipeline_runs"] == counts["storage_files"] == 0
    assert query(url, "select name from api_keys where name !~ '^made up: ' or last_used_at > '2025-02-01'")["name"].tolist() == []
    assert set(query(url, "select password_hash from users")["password_hash"]) == {"!"}


def test_runs_are_those_of_dagster(url: str, instance: DagsterInstance, dagster_url: str, tmp_path: Path) -> None:
    run = execute(instance, "sync_forecast_tracking", {"dagster/schedule_name": "hourly"})
    failed = execute(instance, "acme__reconcile_forecast_tracking", {"dagster/sensor_name": "automation"})
    refused_run = execute(instance, "refresh")
    queued = instance.create_run_for_job(JOBS.resolve_job_def("refresh")).run_id
    lines: list[str] = []
    assert record(url, tmp_path, instance, lines.append).runs_added == 4
    found, known = query(url, RUNS).set_index("run_id"), query(dagster_url, OF_DAGSTER).set_index("run_id")
    assert found["job"].to_dict() == known["job"].to_dict()
    words = {"SUCCESS": "completed", "FAILURE": "failed", "NOT_STARTED": "queued"}
    assert found["status"].to_dict() == known["status"].map(words).to_dict()
    ended = [run, failed, refused_run]
    for time, said in (("start_time", "create_time"), ("end_time", "end_time")):
        assert found.loc[ended, time].tolist() == pytest.approx(known.loc[ended, said].tolist(), abs=1e-5, rel=0)
    waited = (known["start_time"] - known["create_time"])[ended]
    assert [found["metrics"][one].pop("seconds_queued") for one in ended] == pytest.approx(waited.tolist(), abs=0.0006, rel=0)
    assert found["end_time"].isna()[queued]
    nothing = dict.fromkeys(["assets", "checks_passed", "checks_failed", "rows_read", "rows_inserted", "rows_updated", "rows_deleted"], 0)
    told = {"assets": 1, "checks_passed": 1, "checks_failed": 1, "rows_read": 7, "rows_inserted": 5}
    assert found["metrics"].to_dict() == {run: {**nothing, **told}, failed: nothing, refused_run: nothing, queued: None}
    errors = {failed: "ValueError: no price is negative", refused_run: "two tables stand still:"}
    assert found["error_message"].dropna().to_dict() == errors
    organizations = {run: "forecast_tracking", failed: "forecast_tracking", refused_run: "runmart", queued: "runmart"}
    assert found["organization"].to_dict() == organizations
    starters = {run: "scheduler", failed: "automation", refused_run: "command_line", queued: "command_line"}
    assert found["started_by"].to_dict() == {run_id: f"{name}@localhost" for run_id, name in starters.items()}
    used = query(
        url,
        "select o.name, extract(epoch from last_used_at)::float8 as at from api_keys k join organizations o on o.id ="
        " k.organization_id where k.name = 'made up: used by runs'",
    ).set_index("name")["at"]
    assert used["forecast_tracking"] == found["start_time"][failed]


def test_a_second_fill_changes_nothing(url: str, instance: DagsterInstance, tmp_path: Path) -> None:
    execute(instance, "sync_forecast_tracking")
    execute(instance, "refresh")
    record(url, tmp_path, instance, lambda _: None)
    before = contents(url)
    lines: list[str] = []
    assert record(url, tmp_path, instance, lines.append) == FillSummary(0, 0, 0, 0)
    assert contents(url) == before
    assert lines == ["0 runs added, 0 updated; 0 files added, 0 removed"]


def test_a_run_is_followed_to_its_end(url: str, instance: DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(JOBS.resolve_job_def("refresh"))
    record(url, tmp_path, instance, lambda _: None)
    start = DagsterEvent(event_type_value=DagsterEventType.RUN_START.value, job_name="refresh")
    instance.report_dagster_event(start, run.run_id)
    assert record(url, tmp_path, instance, lambda _: None).runs_updated == 1
    running = query(url, RUNS)
    assert running[["run_id", "status"]].to_numpy().tolist() == [[run.run_id, "running"]]
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    instance.report_run_canceled(stored)
    assert record(url, tmp_path, instance, lambda _: None).runs_updated == 1
    ended = query(url, RUNS)
    assert ended["status"].tolist() == ["cancelled"]
    assert ended["start_time"].tolist() == running["start_time"].tolist()
    assert ended["end_time"][0] >= ended["start_time"][0]


def test_an_archived_run_does_not_come_back(url: str, instance: DagsterInstance, tmp_path: Path) -> None:
    run = execute(instance, "sync_forecast_tracking")
    record(url, tmp_path, instance, lambda _: None)
    rows(url, "select create_future_partitions(0)")
    partition = query(url, "select tableoid::regclass::text as name from pipeline_runs")["name"][0]
    rows(url, "select archive_partitions('pipeline_runs', (now() + interval '2 months')::date)")
    files = query(url, "select id::text, organization_id::text from storage_files order by 1")
    assert record(url, tmp_path, instance, lambda _: None) == FillSummary(0, 0, 0, 0)
    assert query(url, "select count(*) as n from pipeline_runs")["n"].tolist() == [0]
    assert query(url, f"select id::text from archive.{partition}")["id"].tolist() == [run]
    assert query(url, "select id::text, organization_id::text from storage_files order by 1").equals(files)


def test_files_are_those_of_the_home(url: str, instance: DagsterInstance, tmp_path: Path) -> None:
    run = execute(instance, "sync_forecast_tracking")
    for name, text in {"data_docs/index.html": "<p>", "data_docs/forecast_tracking/runs/1.html": "<p>1</p>", "postgres/base": "x"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    record(url, tmp_path, instance, lambda _: None)
    files = query(url, "select f.path, f.size, f.mime_type, o.name from storage_files f join organizations o on o.id = f.organization_id")
    files = files.set_index("path").sort_index()
    on_disk = {
        path.relative_to(tmp_path).as_posix(): path.stat().st_size
        for folder in ("dagster", "data_docs")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    }
    assert files["size"].to_dict() == on_disk
    assert (files["mime_type"]["data_docs/index.html"], files["name"]["data_docs/index.html"]) == ("text/html", "runmart")
    assert files.loc["data_docs/forecast_tracking/runs/1.html", "name"] == "forecast_tracking"
    logs = files[files.index.str.startswith(f"dagster/storage/{run}/")]
    assert set(logs["name"]) == {"forecast_tracking"}
    assert {"text/plain"} <= set(logs["mime_type"])
    (tmp_path / "data_docs/index.html").unlink()
    (tmp_path / "data_docs/forecast_tracking/runs/1.html").write_text("longer than it was")
    assert record(url, tmp_path, instance, lambda _: None) == FillSummary(0, 0, 0, 1)
    left = query(url, "select path, size from storage_files where path ~ '^data_docs'")
    assert left.to_numpy().tolist() == [["data_docs/forecast_tracking/runs/1.html", 18]]


def test_every_status_of_dagster_has_a_word() -> None:
    assert set(STATUSES) == set(DagsterRunStatus)


def test_fill_reads_the_instance_of_the_home(url: str, instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def opening(databases: Databases) -> nullcontext[DagsterInstance]:
        opened.append(databases.settings.home)
        return nullcontext(instance)

    monkeypatch.setattr(pipe_service, "open_instance", opening)
    execute(instance, "refresh")
    assert fill(url, tmp_path, lambda _: None).runs_added == 1
    assert opened == [tmp_path]


def test_pipelines_are_jobs_of_dagster() -> None:
    from dagster_project.definitions import defs  # noqa: PLC0415 (loading takes seconds, and only this test needs it)
    from dagster_project.resources.manifest import ensure_manifest  # noqa: PLC0415

    ensure_manifest()
    names = {job.name for job in defs().resolve_all_job_defs()}
    systems = shared_contracts()
    assert {*JOBS_OF_RUNMART, *(f"{job}_{system}" for job in JOBS_OF_A_SYSTEM for system in systems)} <= names
