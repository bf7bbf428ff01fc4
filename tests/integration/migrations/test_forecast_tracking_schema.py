"""The forecast tracking schema: what the revisions leave behind, held against the design."""

import math
from collections.abc import Callable
from decimal import Decimal

import psycopg2
import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy.orm import Session

from dagster_project.resources.databases import engine
from migrations.forecast_tracking.models import Experiment, Metric, Model, Run
from migrations.run import config, downgrade, upgrade
from tests.integration.migrations.catalog import COLUMNS
from tests.integration.migrations.conftest import Database

# Columns of the design, in its order: name, type, and "!" for NOT NULL.
DESIGN = {
    "experiments": """
        experiment_id bigint!; experiment_name varchar(255)!; experiment_description text; experiment_type varchar(50)!; status
        varchar(50)!; lifecycle_stage varchar(50)!; created_by varchar(255); created_at timestamp!; updated_at timestamp!; deleted_at
        timestamp; tags jsonb; metadata jsonb
    """,
    "runs": """
        run_id bigint!; run_uuid uuid!; experiment_id bigint!; parent_run_id bigint; run_name varchar(255)!; run_description text;
        run_fingerprint varchar(64)!; status varchar(50)!; lifecycle_stage varchar(50)!; start_time timestamp!; end_time timestamp;
        execution_duration_seconds numeric(12,3); source_type varchar(50); source_name text; git_commit_hash varchar(40); git_branch
        varchar(255); git_repo_url text; user_id varchar(255); tags jsonb; metadata jsonb; created_at timestamp!; updated_at timestamp!;
        deleted_at timestamp
    """,
    "models": """
        model_id bigint!; model_uuid uuid!; run_id bigint!; model_name varchar(255)!; model_type varchar(100)!; model_version
        varchar(50)!; framework varchar(50)!; framework_version varchar(50); model_config jsonb!; hyperparameters jsonb!;
        training_dataset_id bigint; training_samples integer; training_duration_seconds numeric(12,3); model_size_bytes bigint;
        model_file_path text!; checkpoint_path text; status varchar(50)!; tags jsonb; metadata jsonb; created_at timestamp!; updated_at
        timestamp!
    """,
    "model_registry": """
        registry_id bigint!; model_id bigint!; registered_model_name varchar(255)!; model_version integer!; current_stage varchar(50)!;
        previous_stage varchar(50); stage_transition_at timestamp; approved_by varchar(255); approved_at timestamp; approval_notes text;
        deployed_at timestamp; deployment_target varchar(100); production_metrics jsonb; description text; tags jsonb; metadata jsonb;
        created_at timestamp!; updated_at timestamp!
    """,
    "datasets": """
        dataset_id bigint!; dataset_uuid uuid!; dataset_name varchar(255)!; dataset_description text; dataset_type varchar(50)!;
        file_path text!; file_format varchar(50)!; file_size_bytes bigint; file_hash varchar(64); num_rows integer; num_columns integer;
        num_time_series integer; date_column varchar(100); target_column varchar(100); frequency varchar(20); start_date timestamp;
        end_date timestamp; schema_definition jsonb; column_types jsonb; missing_values_count integer; duplicate_rows_count integer;
        version varchar(50); parent_dataset_id bigint; tags jsonb; metadata jsonb; created_at timestamp!; updated_at timestamp!
    """,
    "dataset_features": """
        feature_id bigint!; dataset_id bigint!; feature_name varchar(255)!; feature_type varchar(50)!; data_type varchar(50)!; min_value
        double precision; max_value double precision; mean_value double precision; median_value double precision; std_value double
        precision; num_unique_values integer; unique_values jsonb; missing_count integer; missing_percentage numeric(5,2); feature_role
        varchar(50); is_target boolean; is_exogenous boolean; exogenous_type varchar(50); importance_score double precision;
        correlation_with_target double precision; tags jsonb; created_at timestamp!; updated_at timestamp!
    """,
    "metrics": """
        metric_id bigint!; run_id bigint!; model_id bigint; metric_name varchar(100)!; metric_value double precision!; metric_step
        integer; dataset_type varchar(50)!; evaluation_context varchar(100); timestamp timestamp!; metadata jsonb
    """,
    "metric_summaries": """
        summary_id bigint!; run_id bigint!; model_id bigint; metric_name varchar(100)!; dataset_type varchar(50)!; min_value double
        precision; max_value double precision; mean_value double precision; median_value double precision; std_value double precision;
        q1_value double precision; q3_value double precision; sample_count integer!; created_at timestamp!; updated_at timestamp!
    """,
    "hyperparameters": """
        hyperparameter_id bigint!; run_id bigint!; param_key varchar(255)!; param_value text!; param_type varchar(50)!;
        is_hyperparameter boolean; param_category varchar(100); created_at timestamp!
    """,
    "hyperparameter_search_spaces": """
        search_space_id bigint!; space_name varchar(255)!; space_description text; model_type varchar(100)!; framework varchar(50)!;
        search_space_definition jsonb!; created_by varchar(255); is_active boolean; tags jsonb; created_at timestamp!; updated_at
        timestamp!
    """,
    "artifacts": """
        artifact_id bigint!; artifact_uuid uuid!; run_id bigint!; artifact_name varchar(255)!; artifact_type varchar(100)!;
        artifact_path text!; file_size_bytes bigint; file_format varchar(50); mime_type varchar(100); file_hash varchar(64);
        storage_type varchar(50)!; storage_path text!; description text; tags jsonb; metadata jsonb; is_public boolean; access_count
        integer; last_accessed_at timestamp; created_at timestamp!; updated_at timestamp!
    """,
    "predictions": """
        prediction_id bigint!; run_id bigint!; model_id bigint!; prediction_date timestamp!; unique_id text!; horizon integer!;
        predicted_value double precision!; actual_value double precision; lower_bound double precision; upper_bound double precision;
        confidence_level numeric(7,6); metadata jsonb; created_at timestamp!
    """,
    "system_logs": """
        log_id bigint!; log_level varchar(20)!; log_message text!; log_source varchar(255); run_id bigint; user_id varchar(255);
        stack_trace text; exception_type varchar(255); extra_data jsonb; created_at timestamp!
    """,
    "audit.audit_logs": """
        audit_id bigint!; table_name varchar(255)!; operation_type varchar(20)!; record_id bigint; old_values jsonb; new_values jsonb;
        changed_fields jsonb; user_id varchar(255); user_ip varchar(50); session_id varchar(255); created_at timestamp!
    """,
    "users": """
        user_id bigint!; user_uuid uuid!; username varchar(255)!; email varchar(255)!; full_name varchar(255); auth_provider
        varchar(50); external_id varchar(255); is_active boolean; is_superuser boolean; last_login_at timestamp; login_count integer;
        preferences jsonb; metadata jsonb; created_at timestamp!; updated_at timestamp!
    """,
    "user_experiments": """
        user_experiment_id bigint!; user_id bigint!; experiment_id bigint!; permission_level varchar(50)!; created_at timestamp!
    """,
    "system_config": """
        config_id bigint!; config_key varchar(255)!; config_value text!; config_type varchar(50)!; description text; category
        varchar(100); validation_regex text; is_secret boolean; created_at timestamp!; updated_at timestamp!
    """,
    "tags": """
        tag_id bigint!; tag_name varchar(255)!; tag_category varchar(100); tag_description text; usage_count integer; metadata jsonb;
        created_at timestamp!; updated_at timestamp!
    """,
}


BAD_VALUES = [
    ("ck_experiments_status", "update experiments set status = 'paused'"),
    ("ck_experiments_lifecycle", "update experiments set lifecycle_stage = 'paused'"),
    ("ck_experiments_type", "update experiments set experiment_type = 'play'"),
    ("ck_runs_status", "update runs set status = 'lost'"),
    ("ck_runs_lifecycle", "update runs set lifecycle_stage = 'archived'"),
    ("ck_runs_source_type", "update runs set source_type = 'rumour'"),
    ("ck_runs_duration", "update runs set execution_duration_seconds = -0.001"),
    ("ck_datasets_type", "update datasets set dataset_type = 'holdout'"),
    ("ck_datasets_format", "update datasets set file_format = 'xls'"),
    ("ck_datasets_rows", "update datasets set num_rows = -1"),
    ("ck_datasets_columns", "update datasets set num_columns = 0"),
    ("ck_features_type", "update dataset_features set feature_type = 'image'"),
    ("ck_features_role", "update dataset_features set feature_role = 'label'"),
    ("ck_features_exog_type", "update dataset_features set exogenous_type = 'past'"),
    ("ck_features_missing_pct", "update dataset_features set missing_percentage = 100.01"),
    ("ck_models_status", "update models set status = 'broken'"),
    ("ck_models_framework", "update models set framework = ''"),
    ("ck_models_framework", "update models set framework = 'Stats Models'"),
    ("ck_models_training_samples", "update models set training_samples = 0"),
    ("ck_models_size", "update models set model_size_bytes = 0"),
    ("ck_registry_stage", "update model_registry set current_stage = 'canary'"),
    ("ck_registry_version", "update model_registry set model_version = 0"),
    ("uq_registry_name_version", "insert into model_registry (model_id, registered_model_name, model_version) values (1, 'airline', 1)"),
    ("ck_metrics_dataset_type", "update metrics set dataset_type = 'training'"),
    ("ck_metrics_step", "update metrics set metric_step = -1"),
    ("ck_params_type", "update hyperparameters set param_type = 'list'"),
    ("ck_artifacts_type", "update artifacts set artifact_type = 'video'"),
    ("ck_artifacts_storage", "update artifacts set storage_type = 'floppy'"),
    ("ck_artifacts_size", "update artifacts set file_size_bytes = -1"),
    ("ck_predictions_horizon", "update predictions set horizon = 0"),
    ("ck_predictions_confidence", "update predictions set confidence_level = 1"),
    ("ck_logs_level", "update system_logs set log_level = 'info'"),
    ("ck_audit_operation", "update audit.audit_logs set operation_type = 'READ'"),
    ("ck_users_auth_provider", "update users set auth_provider = 'carrier pigeon'"),
    ("ck_user_exp_permission", "update user_experiments set permission_level = 'look'"),
    ("ck_config_type", "update system_config set config_type = 'date'"),
    ("idx_runs_unique_fingerprint", "insert into runs (experiment_id, run_name, run_fingerprint) values (1, 'again', repeat('a', 64))"),
    (
        "uq_summary_model_metric",
        "insert into metric_summaries (run_id, model_id, metric_name, dataset_type, sample_count) values (1, 1, 'mae', 'test', 2)",
    ),
]


@pytest.mark.parametrize("table", DESIGN)
def test_table_has_the_columns_of_the_design(filled: Database, table: str) -> None:
    columns = [str(column) for (column,) in filled.rows(COLUMNS, table)]
    assert columns == [column.strip() for column in " ".join(DESIGN[table].split()).split(";")]


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ("alter table runs add column mood text", "mood"),
        ("alter table audit.audit_logs add column mood text", "mood"),
        ("alter table runs drop column git_branch", "git_branch"),
        ("alter table runs alter column status set default 'scheduled'", "status"),
        ("alter table tags alter column tag_category type text", "tag_category"),
        ("drop index idx_runs_status", "idx_runs_status"),
        ("alter table runs drop constraint runs_experiment_id_fkey", "experiment_id"),
        ("comment on table runs is 'something else'", "runs"),
        ("create table public.stray (id bigint primary key)", "stray"),
    ],
)
def test_alembic_check_reports_a_change_by_hand(own: Database, change: str, reported: str) -> None:
    own.rows(change)
    with pytest.raises(CommandError, match=rf"New upgrade operations detected.*{reported}"):
        command.check(config("forecast_tracking", own.url))


LEVELS = (
    "select confidence_level::text from predictions union all select confidence_level::text from archive.predictions_1949_q1 order by 1"
)


def test_levels_keep_their_digits_on_the_way_up_and_down(own: Database) -> None:
    own.rows("select create_partitions('predictions', '1949-01-01', '1949-12-31')")
    own.rows(
        "insert into predictions select * from (select 90 + n, run_id, model_id, moment, unique_id, horizon, predicted_value, actual_value,"
        " lower_bound, upper_bound, level from predictions cross join (values (1, '1949-05-01'::timestamp, 0.8), (2, '1949-02-01', 0.9))"
        " as more (n, moment, level) limit 2) as copies"
    )
    own.rows("select archive_partitions('predictions', '1949-04-01')")
    before = [float(str(level)) for (level,) in own.rows(LEVELS)]
    assert len(before) == 3
    downgrade("forecast_tracking", own.url, "0009")
    assert own.rows(COLUMNS, "archive.predictions_1949_q1")[10] == ("confidence_level numeric(3,2)",)
    assert [float(str(level)) for (level,) in own.rows(LEVELS)] == before
    upgrade("forecast_tracking", own.url)
    assert [level for (level,) in own.rows(LEVELS)] == [f"{level:.6f}" for level in before]
    assert own.rows(COLUMNS, "archive.predictions_1949_q1")[10] == ("confidence_level numeric(7,6)",)


@pytest.mark.parametrize("table", ["predictions", "archive.predictions_1949_q1"])
def test_a_level_that_would_be_rounded_holds_the_way_down(own: Database, table: str) -> None:
    own.rows("select archive_partitions('predictions', '1949-04-01')")
    own.rows("create table if not exists archive.predictions_1949_q1 (like predictions)")
    own.rows(
        f"insert into {table} (prediction_id, run_id, model_id, prediction_date, unique_id, horizon, predicted_value, created_at,"
        " confidence_level) select 91, run_id, model_id, prediction_date, unique_id, 1, 1, created_at, 0.975 from predictions limit 1"
    )
    with pytest.raises(Exception, match=f"1 rows of {table} have a confidence level of more than two decimals, which revision 0009"):
        downgrade("forecast_tracking", own.url, "0009")
    assert own.rows("select version_num from alembic_version") == [("0010",)]
    assert own.value(f"select max(confidence_level) from {table}") == Decimal("0.975000")


def test_a_failing_revision_leaves_nothing(new_database: Callable[[str], str], connect: Callable[[str], Database]) -> None:
    url = new_database("empty")
    database = connect(url)
    database.rows("create table users (mine text)")
    with pytest.raises(Exception, match='relation "users" already exists'):
        upgrade("forecast_tracking", url)
    assert database.value("select version_num from alembic_version") == "0004"
    assert database.value("select to_regclass('user_experiments')") is None
    database.rows("drop table users")
    upgrade("forecast_tracking", url)
    assert database.value("select count(*) from system_config") == 5
    database.close()


@pytest.mark.parametrize(("constraint", "statement"), BAD_VALUES)
def test_bad_value_is_rejected(filled: Database, constraint: str, statement: str) -> None:
    with pytest.raises(psycopg2.IntegrityError) as raised:
        filled.rows(statement)
    assert raised.value.diag.constraint_name == constraint


def test_every_check_has_a_bad_value(filled: Database) -> None:
    checks = filled.rows(
        "select distinct conname from pg_constraint where contype = 'c' and connamespace in ('public'::regnamespace, 'audit'::regnamespace)"
    )
    assert {name for (name,) in checks} <= {constraint for constraint, _ in BAD_VALUES}


def test_any_framework_can_be_stored(filled: Database) -> None:
    frameworks = [
        "statsmodels",
        "statsforecast",
        "mlforecast",
        "xgboost",
        "lightgbm",
        "chronos",
        "timesfm",
        "scikit-learn",
        "x13.arima_seats",
    ]
    filled.rows(
        "insert into models (run_id, model_name, model_type, framework, model_config, model_file_path)"
        " select 1, name, 'any', name, '{}', name from unnest(%s) as name",
        frameworks,
    )
    assert {name for (name,) in filled.rows("select framework from models")} == set(frameworks)


def test_summaries_of_two_models_of_a_run_stand_beside_that_of_the_run(filled: Database) -> None:
    insert = "insert into metric_summaries (run_id, model_id, metric_name, dataset_type, sample_count) values (1, %s, 'mae', 'test', 2)"
    filled.rows(
        "insert into models (model_id, run_id, model_name, model_type, framework, model_config, model_file_path)"
        " values (2, 1, 'theta', 'Theta', 'statsmodels', '{}', 'theta.pickle')"
    )
    filled.rows(insert, 2)
    filled.rows(insert, None)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        filled.rows(insert, None)


def test_default_settings_are_stored(filled: Database) -> None:
    assert filled.rows("select config_key, config_value, config_type from system_config order by config_id") == [
        ("max_parallel_runs", "10", "integer"),
        ("default_retention_days", "90", "integer"),
        ("enable_mlflow", "true", "boolean"),
        ("enable_wandb", "false", "boolean"),
        ("log_level", "INFO", "string"),
    ]


def test_views_can_be_refreshed_while_they_are_read(filled: Database) -> None:
    filled.rows(
        "insert into metrics (run_id, model_id, metric_name, metric_value, dataset_type) values (1, 1, 'rmse', 'NaN', 'test'),"
        " (1, 1, 'mae', 13, 'validation')"
    )
    filled.rows("refresh materialized view concurrently mv_experiment_summary")
    filled.rows("refresh materialized view concurrently mv_model_performance")
    assert filled.rows(
        "select experiment_id, status, total_runs, completed_runs, failed_runs, avg_duration from mv_experiment_summary"
    ) == [(1, "active", 1, 0, 0, None)]
    ((model_id, validation_mae, test_mae, test_rmse),) = filled.rows(
        "select model_id, validation_mae, test_mae, test_rmse from mv_model_performance"
    )
    assert (model_id, validation_mae, test_mae) == (1, 13.0, None)
    assert isinstance(test_rmse, float)
    assert math.isnan(test_rmse)


def test_times_are_utc_whatever_the_session_says(database: Database) -> None:
    database.rows("set time zone 'Asia/Tokyo'")
    database.rows("insert into experiments (experiment_name) values ('tokyo')")
    database.rows("set time zone 'UTC'")
    assert database.value("select abs(extract(epoch from localtimestamp - created_at)) < 3600 from experiments") is True


def test_models_write_and_delete_what_the_database_keeps(own: Database) -> None:
    connection = engine(own.url)
    with Session(connection) as session:
        model = Model(
            model_name="theta", model_type="Theta", framework="statsmodels", model_config={"period": 12}, model_file_path="theta.pickle"
        )
        run = Run(run_name="second", run_fingerprint="b" * 64, models=[model], metrics=[Metric(metric_name="mae", metric_value=11.5)])
        experiment = Experiment(experiment_name="orm", metadata_={"source": "test"}, runs=[run])
        session.add(experiment)
        session.commit()
        written = own.rows(
            "select e.tags, e.metadata, r.status, m.model_config, x.metric_value, e.experiment_id"
            " from experiments e join runs r using (experiment_id) join models m using (run_id) join metrics x using (run_id)"
            " where experiment_name = 'orm'"
        )
        assert written == [({}, {"source": "test"}, "running", {"period": 12}, 11.5, experiment.experiment_id)]
        created_at = run.updated_at
        run.status = "completed"
        session.commit()
        assert run.updated_at > created_at
        session.delete(experiment)
        session.commit()
    connection.dispose()
    assert own.rows("select experiment_name from experiments") == [("airline passengers",)]
    assert own.value("select count(*) from metrics") == 1
