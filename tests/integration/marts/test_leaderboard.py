"""The leaderboard of random experiments against a comparison written with sets, many experiments in one build."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.marts.conftest import House

START = datetime(2025, 1, 1, tzinfo=UTC)
BASELINE = "SeasonalNaive"


class Point(NamedTuple):
    """What is forecast; a cutoff of 0 stands for none, which sorts first."""

    series: str
    cutoff: int
    horizon: int


class Forecast(NamedTuple):
    point: Point
    predicted: int
    actual: int | None


class Model(NamedTuple):
    kind: str
    is_deleted: bool
    forecasts: list[Forecast]


class Place(NamedTuple):
    """A row of the leaderboard."""

    rank: int | None
    compared_models: int
    evaluated_points: int
    common_points: int
    common_pairs: int
    mae: float | None
    bias: float | None
    skill: float | None


points = st.builds(Point, st.sampled_from("ab"), st.sampled_from([0, 5, 9]), st.integers(1, 2))
# Few values, so that models tie, are perfect, and write a point again.
forecasts = st.builds(Forecast, points, st.integers(-2, 2), st.none() | st.integers(-2, 2) | st.integers(-2, 2))
models = st.builds(
    Model, st.sampled_from([BASELINE, "AutoETS", "Theta"]), st.sampled_from([False] * 5 + [True]), st.lists(forecasts, max_size=12)
)
experiments = st.lists(models, min_size=1, max_size=4)


def errors(model: Model) -> dict[Point, int]:
    """Errors at the evaluated points: the last forecast counts, and the last actual value that is known."""
    predicted = {forecast.point: forecast.predicted for forecast in model.forecasts}
    actual = {forecast.point: forecast.actual for forecast in model.forecasts if forecast.actual is not None}
    return {point: predicted[point] - value for point, value in actual.items()}


def leaderboard(experiment: Mapping[int, Model]) -> dict[int, Place]:
    """The places of the models of an experiment that made a forecast."""
    listed = {key: model for key, model in experiment.items() if model.forecasts and not model.is_deleted}
    found = {key: errors(model) for key, model in listed.items()}
    meetings = Counter(point for evaluated in found.values() for point in evaluated)
    baselines = {key for key, model in listed.items() if model.kind == BASELINE}
    meeting = min(meetings, key=lambda point: (-meetings[point], all(point not in found[key] for key in baselines), point), default=None)
    field = {key for key, evaluated in found.items() if meeting in evaluated}
    common = set(meetings).intersection(*(found[key] for key in field)) if field else set()
    maes = {key: Fraction(sum(abs(found[key][point]) for point in common), len(common)) for key in field}
    baseline = maes.get(min(field & baselines, default=0))

    def place(key: int) -> Place:
        evaluated = len(found[key])
        if key not in field:
            return Place(None, len(field), evaluated, 0, 0, None, None, None)
        return Place(
            rank=1 + sum(mae < maes[key] for mae in maes.values()),
            compared_models=len(field),
            evaluated_points=evaluated,
            common_points=len(common),
            common_pairs=len({(point.series, point.cutoff) for point in common}),
            mae=float(maes[key]),
            bias=sum(found[key][point] for point in common) / len(common),
            skill=float(1 - maes[key] / baseline) if baseline else None,
        )

    return {key: place(key) for key in listed}


def rows(tracked: Mapping[int, Mapping[int, Model]]) -> dict[str, list[dict[str, Any]]]:
    """These experiments as the source has them, a run for each model."""
    every = [(experiment, key, model) for experiment, board in tracked.items() for key, model in board.items()]
    return {
        "experiments": [{"experiment_id": experiment, "experiment_name": "e"} for experiment in tracked],
        "runs": [
            {
                "run_id": key,
                "experiment_id": experiment,
                "run_name": "r",
                "run_fingerprint": f"{key:064x}",
                "start_time": START,
                "deleted_at": START if model.is_deleted else None,
            }
            for experiment, key, model in every
        ],
        "models": [
            {
                "model_id": key,
                "run_id": key,
                "model_name": "m",
                "model_type": model.kind,
                "framework": "statsmodels",
                "model_config": {},
                "model_file_path": "/dev/null",
            }
            for _, key, model in every
        ],
        "predictions": [
            {
                "run_id": key,
                "model_id": key,
                "unique_id": forecast.point.series,
                "prediction_date": START + timedelta(days=forecast.point.cutoff + forecast.point.horizon),
                "horizon": forecast.point.horizon,
                "predicted_value": forecast.predicted,
                "actual_value": forecast.actual,
                "metadata": {"cutoff": (START + timedelta(days=forecast.point.cutoff)).isoformat()} if forecast.point.cutoff else {},
            }
            for _, key, model in every
            for forecast in model.forecasts
        ],
    }


# Shrinking would build for minutes; the message names the row that differs.
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(boards=st.lists(experiments, min_size=15, max_size=25))
def test_random_experiments_are_ranked_as_by_hand(house: House, boards: list[list[Model]]) -> None:
    tracked = {number: {number * 100 + place: model for place, model in enumerate(board)} for number, board in enumerate(boards, start=1)}
    house.fill(rows(tracked))
    house.build()
    found = house.warehouse(
        "select experiment_id, model_id, model_rank, compared_models, evaluated_points, common_points, common_pairs, mae, bias, skill"
        " from analytics.model_leaderboard"
    )
    for number, board in tracked.items():
        expected = leaderboard(board)
        ours = {model: Place(*values) for experiment, model, *values in found if experiment == number}
        assert ours.keys() == expected.keys()
        for model, place in expected.items():
            assert tuple(ours[model]) == pytest.approx(tuple(place)), (number, model)
