"""Rows of any time in the partitioned tables of the sources that Runmart builds.

Belongs here: a database with a row in every table, and how a partitioned one gets another. Does not belong here: what becomes of the rows.
"""

from pathlib import Path

from tests.databases import run

_ONE_ROW_EACH = Path(__file__).parent / "integration" / "migrations"

PARTITIONED_TABLES = "select partrelid::regclass::text from pg_partitioned_table order by 1"

# By system and table, what adds a row of a time to a database that `fill` has filled.
ADD_ROW = {
    "coding_client": {
        "file_operations": "insert into file_operations (session_id, user_id, operation_type, file_path, created_at)"
        " values ('s-1', 1, 'update', 'notes/g.txt', %s)",
        "notification_history": "insert into notification_history (user_id, notification_type, service_type, title, message, created_at)"
        " values (1, 'task_completed', 'webhook', 'done', 'The task is done.', %s)",
        "system_logs": "insert into system_logs (level, category, module, message, created_at)"
        " values ('INFO', 'session', 'client', 'started', %s)",
    },
    "forecast_tracking": {
        "audit.audit_logs": "insert into audit.audit_logs (table_name, operation_type, user_id, created_at)"
        " values ('runs', 'INSERT', 'ada', %s)",
        "predictions": "insert into predictions (run_id, model_id, unique_id, horizon, predicted_value, prediction_date)"
        " values (1, 1, 'airline', 1, 1, %s)",
        "system_logs": "insert into system_logs (log_level, log_message, created_at) values ('INFO', 'started', %s)",
    },
    "materials_jobs": {
        "app.job_runs": "insert into app.job_runs (job_id, run_number, status, created_at)"
        " select job_id, max(run_number) + 1, 'success', %s from app.job_runs group by job_id",
    },
    "pipe_service": {
        "pipeline_runs": "insert into pipeline_runs (pipeline_id, status, started_at) select id, 'completed', %s from pipelines",
    },
}


def fill(system: str, url: str) -> None:
    """Give every table of a migrated, empty source one row."""
    run(url, (_ONE_ROW_EACH / f"{system}.sql").read_text(encoding="utf-8"))
