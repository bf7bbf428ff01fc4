"""Parity: the drop-in views equal the source's materialized views, value for value and type for type. The source is the oracle."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.marts.conftest import House

VIEWS = {"mv_experiment_summary": "experiment_id", "mv_model_performance": "model_id"}
TABLES = {"experiments": "experiment_id", "runs": "run_id", "models": "model_id", "metrics": "metric_id"}

times = st.integers(1_577_836_800, 1_767_225_600).map(lambda second: datetime.fromtimestamp(second, UTC))
durations = st.none() | st.sampled_from([Decimal("0.001"), Decimal("0.000"), Decimal("NaN")]) | st.decimals(0, 999_999_999, places=3)
values = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 1.0, float("nan"), float("inf"), -1e308, 5e-324])

experiments = st.fixed_dictionaries(
    {
        "experiment_name": st.sampled_from(["a", "a", "b'\"c", "日本"]),
        "status": st.sampled_from(["active", "archived", "deleted"]),
        "created_at": times,
        "deleted_at": st.none() | times,
    }
)
runs = st.fixed_dictionaries(
    {
        "run_name": st.just("run"),
        "status": st.sampled_from(["running", "completed", "failed", "killed", "scheduled"]),
        "start_time": times,
        "end_time": st.none() | times,
        "execution_duration_seconds": durations,
        "deleted_at": st.none() | times,
    }
)
models = st.fixed_dictionaries(
    {
        "model_name": st.sampled_from(["m", "n"]),
        "model_type": st.sampled_from(["SeasonalNaive", "AutoETS"]),
        "framework": st.just("sklearn"),
        "model_config": st.just({}),
        "model_file_path": st.just("/dev/null"),
        "status": st.sampled_from(["evaluated", "evaluated", "trained", "failed"]),
        "training_duration_seconds": durations,
        "model_size_bytes": st.none() | st.integers(1, 2**62),
        "created_at": times,
    }
)
metrics = st.fixed_dictionaries(
    {
        "metric_name": st.sampled_from(["mae", "mae", "rmse", "smape", "MAE", "loss", "coverage_90"]),
        "metric_value": values,
        "metric_step": st.none() | st.integers(0, 3),
        "dataset_type": st.sampled_from(["train", "validation", "test", "production"]),
    }
)


@st.composite
def databases(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Rows whose foreign keys are valid, with parents that have no children among them."""

    def keyed(strategy: st.SearchStrategy[dict[str, Any]], key: str, size: int) -> list[dict[str, Any]]:
        return [{key: number, **row} for number, row in enumerate(draw(st.lists(strategy, min_size=1, max_size=size)), start=1)]

    def parent(rows: list[dict[str, Any]], key: str) -> int:
        return int(draw(st.sampled_from(rows))[key])

    tables = {"experiments": keyed(experiments, "experiment_id", 6)}
    tables["runs"] = [
        {**row, "experiment_id": parent(tables["experiments"], "experiment_id"), "run_fingerprint": f"{row['run_id']:064x}"}
        for row in keyed(runs, "run_id", 25)
    ]
    tables["models"] = [{**row, "run_id": parent(tables["runs"], "run_id")} for row in keyed(models, "model_id", 15)]
    tables["metrics"] = []
    for row in keyed(metrics, "metric_id", 60):
        model = draw(st.none() | st.sampled_from(tables["models"]))
        owner = {"model_id": model["model_id"] if model else None, "run_id": model["run_id"] if model else parent(tables["runs"], "run_id")}
        tables["metrics"].append({**row, **owner})
    return tables


def together(parts: list[dict[str, list[dict[str, Any]]]]) -> dict[str, list[dict[str, Any]]]:
    """Several databases as one, each with keys of its own: a build costs seconds, whatever it builds."""
    return {
        table: [
            {name: value + 1000 * number if name in TABLES.values() and value is not None else value for name, value in row.items()}
            | ({"run_fingerprint": f"{row['run_id'] + 1000 * number:064x}"} if table == "runs" else {})
            for number, part in enumerate(parts)
            for row in part[table]
        ]
        for table in TABLES
    }


def as_text(view: str, key: str) -> str:
    """Rows as PostgreSQL prints them: digits, NaN and nulls included."""
    return f"select row_to_json(v)::text from {view} as v order by {key}"


# Shrinking would build for minutes; the message names the row that differs.
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(tables=st.lists(databases(), min_size=4, max_size=6).map(together))
def test_views_equal_the_materialized_views_of_the_source(house: House, tables: dict[str, list[dict[str, Any]]]) -> None:
    house.fill(tables)
    house.source("refresh materialized view mv_experiment_summary; refresh materialized view mv_model_performance")
    house.build()
    for view, key in VIEWS.items():
        assert house.warehouse(as_text(f"analytics.{view}", key)) == house.source(as_text(view, key))


@pytest.mark.parametrize("view", VIEWS)
def test_views_have_the_columns_and_types_of_the_source(house: House, view: str) -> None:
    def columns(schema: str) -> str:
        return (
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            f" where attrelid = '{schema}.{view}'::regclass and attnum > 0 order by attnum"
        )

    assert house.warehouse(columns("analytics")) == house.source(columns("public"))


def test_a_difference_is_seen(house: House) -> None:
    """The comparison itself: a value that changed after the build shows."""
    row = {"experiment_id": 1, "experiment_name": "a", "status": "active", "created_at": datetime(2025, 1, 1, tzinfo=UTC)}
    house.fill({"experiments": [row]})
    house.build()
    house.source("update experiments set experiment_name = 'b'; refresh materialized view mv_experiment_summary")
    view, key = "mv_experiment_summary", "experiment_id"
    assert house.warehouse(as_text(f"analytics.{view}", key)) != house.source(as_text(view, key))
