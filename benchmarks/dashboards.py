"""What the dashboards of analysts ask of the marts.

Belongs here: the queries, one for each panel. Does not belong here: who asks them, and how long the answers take (`readers`).
"""

FRESHNESS = "select max(refresh_id) from analytics.refreshes"

QUERIES = {
    "experiments": """
        select experiment_name, total_runs, success_rate, best_model_type, best_model_mae
        from analytics.experiment_summary
        order by experiment_name
    """,
    "leaderboard": """
        select experiment_name, model_rank, model_type, mae, skill, common_pairs
        from analytics.model_leaderboard
        order by skill desc nulls last
        limit 10
    """,
    "models": """
        select model_type, test_mae, test_rmse, registry_stage
        from analytics.model_performance
        order by test_mae nulls last
        limit 20
    """,
    "metrics": """
        select metric_name, split, sum(sample_count) as samples, min(best_value) as best
        from analytics.metric_summary
        group by metric_name, split
        order by metric_name, split
    """,
    "hardest series": """
        select unique_id, avg(mae) as mae, sum(evaluated_points) as points
        from analytics.forecast_accuracy
        group by unique_id
        order by mae desc nulls last
        limit 10
    """,
    "coverage": """
        select models.model_type, intervals.confidence_level, avg(intervals.interval_coverage) as coverage
        from analytics.forecast_interval_accuracy as intervals
        inner join analytics.model_performance as models using (model_id)
        group by models.model_type, intervals.confidence_level
        order by models.model_type, intervals.confidence_level
    """,
    "runs by week": """
        select calendar.iso_week_number, runs.status, count(*) as runs
        from analytics.fct_runs as runs
        inner join analytics.dim_date as calendar on calendar.date_day = runs.started_on
        group by calendar.iso_week_number, runs.status
        order by calendar.iso_week_number, runs.status
    """,
    "in production": """
        select registered_version, stage_name, stage_number
        from analytics.registry_timeline
        where is_current
        order by registered_version
    """,
    "freshness": FRESHNESS,
}
