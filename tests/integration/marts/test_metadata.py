"""What writers put into the metadata of a prediction: read as Python reads it, null where it says nothing, and never the end of a build."""

from datetime import UTC, datetime
from itertools import product
from typing import Any, cast

import pytest
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.contracts.graph.nodes import CompiledNode

from tests.integration.marts.conftest import House

# Days at the ends of months, of leap years and others, and days, months and years that are none.
DAYS = tuple(
    f"{year:04}-{month:02}-{day:02}" for year, month, day in product((0, 1900, 2000, 2024, 2025), range(14), (0, 1, 28, 29, 30, 31, 32))
)
CLOCKS = ("T00:00", " 23:59:59", "T10:11:12.123456", "T24:01", "T25:00", "T10:60", "T10:00:61", "T")
ZONES = ("", "Z", "+05:30", "-11:00", "+0100")
TIMES = (*DAYS, *(f"2025-03-31{clock}{zone}" for clock, zone in product(CLOCKS, ZONES)), "not known", "")
NUMBERS = (
    *("0", "-0.0", "3", "-2.5", "0.1", "1e308", "1.7976931348623157e308", "1.8e308", "1e400", "-1e400", "5e-324", "1e-323", "1e-400"),
    *('"3"', "null", "true", "[1]"),
)


def time_of(text: str) -> datetime | None:
    """As Python reads it, in UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read


def number_of(text: str) -> float | None:
    """As Python reads it; null where a double cannot hold it."""
    try:
        read = float(text)
    except ValueError:
        return None
    is_held = abs(read) != float("inf") and (read != 0 or float(text.partition("e")[0]) == 0)
    return read if is_held else None


@pytest.fixture(scope="module")
def predictions(house: House) -> House:
    """A house in which each of these is in the metadata of a prediction, whose number is its place."""
    model = {"run_id": 1, "model_name": "m", "model_type": "Theta", "framework": "statsmodels", "model_config": {}, "model_file_path": "-"}
    house.fill(
        {
            "experiments": [{"experiment_id": 1, "experiment_name": "e"}],
            "runs": [
                {
                    "run_id": 1,
                    "experiment_id": 1,
                    "run_name": "r",
                    "run_fingerprint": "0" * 64,
                    "start_time": datetime(2025, 1, 1, tzinfo=UTC),
                }
            ],
            "models": [{"model_id": 1, **model}],
        }
    )
    house.source(
        "insert into predictions (prediction_id, run_id, model_id, unique_id, prediction_date, horizon, predicted_value, actual_value, "
        "metadata) select place, 1, 1, 'a', timestamp '2026-01-01' + place * interval '1 day', 1, 1, 3, "
        "jsonb_build_object('cutoff', cutoff, 'scale_mae', scale::jsonb) "
        "from unnest(%s::text[], %s::text[]) with ordinality as entry (cutoff, scale, place)",
        [*TIMES],
        [NUMBERS[place % len(NUMBERS)] for place in range(len(TIMES))],
    )
    house.sync()
    return house


def read_as(house: House, macro: str, key: str) -> dict[int, Any]:
    """What a macro of the project reads from each prediction that the source still has."""
    read = f"{{{{ {macro}('metadata', '{key}') }}}}"
    query = f"select prediction_id, {read} from {{{{ source('forecast_tracking', 'predictions') }}}} where _deleted_at is null"
    compiled = house.dbt("compile", "--inline", query)
    assert isinstance(compiled.result, RunExecutionResult), compiled.exception
    return dict(house.warehouse(cast("CompiledNode", compiled.result.results[0].node).compiled_code or ""))


def test_every_cutoff_is_a_time_or_null(predictions: House) -> None:
    read = read_as(predictions, "json_time", "cutoff")
    assert {text: read[place] for place, text in enumerate(TIMES, start=1)} == {text: time_of(text) for text in TIMES}


def test_every_scale_is_a_number_or_null(predictions: House) -> None:
    read = read_as(predictions, "json_number", "scale_mae")
    assert {text: read[place] for place, text in enumerate(NUMBERS, start=1)} == {text: number_of(text) for text in NUMBERS}


def test_none_of_them_ends_a_build(predictions: House) -> None:
    predictions.build()
    counted = predictions.warehouse("select sum(evaluated_points) from analytics.forecast_accuracy where rollup_level = 'cutoff'")
    assert counted == [(len(TIMES),)]
