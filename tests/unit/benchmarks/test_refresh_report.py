"""The ratios of the refresh benchmark against values worked out by hand."""

from benchmarks import refresh_report
from benchmarks.refresh_report import FixedCost, LateActuals, Measured, Refreshes


def measured(db_seconds: float) -> Measured:
    return Measured("some", db_seconds + 1, db_seconds, 2**20, 2**21)


def refreshes(metrics: int, *steps: tuple[float, float, float]) -> Refreshes:
    """Share of the metrics that changed; database seconds of the views and of the summary marts."""
    return Refreshes(
        metrics,
        measured(50.0),
        measured(60.0),
        FixedCost(refresh_seconds=1.0, dbt_seconds=2.5),
        tuple((share, "recent", (measured(views), measured(marts), measured(marts * 4))) for share, views, marts in steps),
    )


def test_ratios_are_those_of_the_budgets() -> None:
    small, large = refreshes(1000, (0.01, 3.0, 0.5), (0.1, 4.0, 0.8)), refreshes(10_000, (0.01, 20.0, 0.4), (0.1, 30.0, 5.0))
    figures = refresh_report.figures({"cores": 2}, (small, large), [LateActuals(500, 7_000, measured(0.5), measured(10.0))])
    assert figures["speedup_1pct_vs_refresh_concurrently"] == 50.0
    assert figures["speedup_1pct_by_size"] == {1000: 6.0, 10_000: 50.0}
    # A hundred changed metrics: a tenth of the smaller history, a hundredth of the larger one.
    assert figures["growth_when_history_x10"] == 0.5
    assert figures["nothing_new_vs_bare_dbt"] == 0.4
    assert figures["late_actuals_vs_rebuild"] == {500: 0.05}
    assert figures["db_seconds"] == {"1.00% recent": 0.4, "10.00% recent": 5.0}
    assert figures["wall_seconds"] == {"1.00% recent": 1.4, "10.00% recent": 6.0}


def test_median_is_taken_of_each_figure_by_itself() -> None:
    found = refresh_report.median_of(
        [Measured("some", 3.0, 1.0, 10, 500), Measured("some", 1.0, 2.0, 30, 400), Measured("some", 2.0, 9.0, 20, 600)]
    )
    assert found == Measured("some", 2.0, 2.0, 20, 500)
