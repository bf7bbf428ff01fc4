"""Each private part of Dagster is where Runmart looks for it, and what it takes it for."""

from dagster import AssetCheckKey

from tests.private_parts import ADAPTERS, Part, has, moved, takes, untold

ADAPTER = ADAPTERS["dagster"]

_EVENT_LOG = "dagster._core.storage.event_log.base:EventLogStorage"

PARTS = (
    Part(
        "dagster._core.definitions.source_asset:SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION",
        "keep tables that stand still, and models left out, from being told as materialized",
        lambda found: isinstance(found, str),
    ),
    Part("dagster:AssetCheckSpec", "give dbt's tests their descriptions", lambda found: found("c", asset="a")._replace(description="d")),
    Part(
        "dagster._core.remote_origin:RegisteredCodeLocationOrigin",
        "record runs of the command line so that the UI shows their jobs",
        takes("location"),
    ),
    Part(
        "dagster._core.remote_origin:RemoteRepositoryOrigin",
        "record runs of the command line so that the UI shows their jobs",
        takes("location", "repository"),
    ),
    Part(
        "dagster._core.remote_origin:RemoteJobOrigin",
        "record runs of the command line so that the UI shows their jobs",
        takes("repository", "job"),
    ),
    Part(
        "dagster:DagsterInstance.create_run_for_job",
        "record runs of the command line",
        takes("self", "job", run_config=None, remote_job_origin=None, tags=None),
    ),
    Part("dagster._core.definitions.job_base:InMemoryJob", "execute runs in the process of the command line", takes("job")),
    Part(
        "dagster._core.execution.api:execute_run_iterator",
        "execute runs in the process of the command line",
        takes("job", "run", "instance"),
    ),
    Part(
        "dagster._core.storage.asset_check_execution_record:AssetCheckExecutionRecord",
        "know what blocking checks have found",
        lambda found: {"key", "status", "event"} <= {*found._fields},
    ),
    Part(
        "dagster._core.storage.asset_check_execution_record:AssetCheckExecutionRecordStatus",
        "know which checks have come to a verdict",
        lambda found: {"PLANNED", "SUCCEEDED", "FAILED"} == {*found.__members__},
    ),
    Part(
        f"{_EVENT_LOG}.get_latest_asset_check_execution_by_key",
        "know what blocking checks have found",
        takes("self", [AssetCheckKey], None),
    ),
    Part("dagster._core.event_api:PartitionKeyFilter", "know what checks of one tenant have found", lambda found: found(key="acme")),
    Part("dagster._core.definitions.run_request:InstigatorType", "forget a tenant", lambda found: "SENSOR" in found.__members__),
    Part("dagster._core.scheduler.instigation:SensorInstigatorData", "forget a tenant", lambda found: "cursor" in found._fields),
    Part("dagster._core.storage.tags:PARTITION_NAME_TAG", "run one tenant", lambda found: isinstance(found, str)),
    Part("dagster._core.execution.plan.active:logger", "let verdicts stand without a warning", lambda found: found.addFilter),
    Part(
        f"{_EVENT_LOG}.get_asset_check_execution_history",
        "know what checks found before a run that gave no verdict",
        takes("self", AssetCheckKey, limit=None, status=None, partition_filter=None),
    ),
    Part(f"{_EVENT_LOG}.get_concurrency_info", "wait for the runs that hold a pool", takes("self", "pool")),
    Part(
        "dagster._utils.concurrency:ConcurrencyKeyInfo",
        "wait for the runs that hold a pool",
        has("active_run_ids", "pending_run_ids", "assigned_run_ids"),
    ),
    Part(f"{_EVENT_LOG}.free_concurrency_slots_for_run", "free the pools that dead runs hold", takes("self", "run_id")),
    Part("dagster._serdes:ConfigurableClassData", "tell Dagster where its PostgreSQL is", lambda found: isinstance(found, type)),
    Part("dagster._core.storage.event_log.base:AssetRecord", "ask once what is known of an asset", has("asset_entry")),
    Part(
        "dagster._core.storage.local_compute_log_manager:LocalComputeLogManager",
        "keep what steps print in files alone",
        takes("base_dir", inst_data=None),
    ),
    *(
        Part(
            f"dagster._core.storage.local_compute_log_manager:LocalComputeLogManager.{method}",
            "keep what steps print in files alone",
            takes("self", ["key"], *extension),
        )
        for method, extension in (("capture_logs", ()), ("get_captured_local_path", ("out",)))
    ),
    Part(
        "dagster._core.storage.compute_log_manager:CapturedLogContext",
        "keep what steps print in files alone",
        takes(["key"]),
    ),
    Part("dagster._core.execution.compute_logs:redirect_to_file", "keep what steps print in files alone", takes("stream", "path")),
    Part(
        "dagster._core.storage.base_storage:DagsterStorage",
        "use connections to Dagster's database again",
        has("run_storage", "event_log_storage", "schedule_storage"),
    ),
    *(
        Part(
            f"dagster_postgres:{storage}.optimize_for_webserver",
            "use connections to Dagster's database again",
            takes("self", statement_timeout=None, pool_recycle=None, max_overflow=None),
        )
        for storage in ("PostgresRunStorage", "PostgresEventLogStorage", "PostgresScheduleStorage")
    ),
)


def test_private_parts_of_dagster_are_as_they_were() -> None:
    assert moved("dagster", ADAPTER, PARTS) == []


def test_every_private_part_of_dagster_is_looked_at() -> None:
    assert untold(ADAPTER, PARTS) == set()
