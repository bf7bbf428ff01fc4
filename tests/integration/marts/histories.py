"""Random histories of a forecast tracking database: states that follow each other by inserts, updates, deletes and moves.

Belongs here: making states whose foreign keys are valid. Does not belong here: loading them, and what is expected of the marts.
"""

import hashlib
import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
State = dict[str, dict[int, Row]]

KEYS = {
    "experiments": "experiment_id",
    "runs": "run_id",
    "models": "model_id",
    "model_registry": "registry_id",
    "metrics": "metric_id",
    "predictions": "prediction_id",
}
PARENTS = {
    "runs": {"experiment_id": "experiments"},
    "models": {"run_id": "runs"},
    "model_registry": {"model_id": "models"},
    "metrics": {"run_id": "runs", "model_id": "models"},
    "predictions": {"run_id": "runs", "model_id": "models"},
}
# So few keys that one which was deleted soon comes back, with other parents.
_SIZES = {"experiments": 4, "runs": 8, "models": 8, "model_registry": 6, "metrics": 60, "predictions": 40}
KEYS_PER_HISTORY = 1000
_START = datetime(2025, 1, 1, tzinfo=UTC)


class History:
    """One database that changes step by step; histories of different numbers have no key in common."""

    def __init__(self, number: int, seed: int) -> None:
        self._first_key = number * KEYS_PER_HISTORY
        self._random = random.Random(seed)  # noqa: S311
        self.state: State = {table: {} for table in KEYS}
        self.step(share=0.6)

    def step(self, share: float | None = None) -> None:
        """Change a share of everything; without one, few rows, some or many of all tables, or of one that must be noticed by itself."""
        changing = [*KEYS]
        if share is None:
            alone = [self._random.choice(changing)]
            share, changing = self._random.choice([(0.02, changing), (0.1, changing), (0.5, changing), (0.2, alone), (0.8, alone)])
        for table, rows in self.state.items():
            table_share = share if table in changing else 0.0
            for position in range(1, _SIZES[table] + 1):
                key = self._first_key + position
                if key in rows:
                    self._change(table, key, table_share)
                elif self._random.random() < table_share:
                    self._insert(table, key)

    def _change(self, table: str, key: int, share: float) -> None:
        row = self.state[table][key]
        # A parent that has gone takes the row along, unless the row finds another one.
        orphaned = [column for column, parent in PARENTS.get(table, {}).items() if row[column] not in {None, *self.state[parent]}]
        chance = self._random.random()
        if (orphaned and chance < 0.5) or chance < share / 3:
            del self.state[table][key]
        elif orphaned or chance < share / 2:
            if not self._move(table, row):
                del self.state[table][key]
        elif chance < share:
            values = self._values(table, key)
            row.update({column: values[column] for column in self._random.sample(sorted(values), k=self._random.randint(1, 3))})

    def _insert(self, table: str, key: int) -> None:
        row = {KEYS[table]: key, **self._values(table, key)}
        if self._move(table, row):
            self.state[table][key] = row

    def _move(self, table: str, row: Row) -> bool:
        """Give a row other parents; False if there are none."""
        for column, parent in PARENTS.get(table, {}).items():
            candidates: list[int | None] = [*sorted(self.state[parent])]
            if table == "metrics" and column == "model_id":
                candidates.append(None)
            if not candidates:
                return False
            row[column] = self._random.choice(candidates)
        return True

    def _values(self, table: str, key: int) -> Row:
        """New values of all columns but keys; what the database would fill in with the time of writing is fixed."""
        choose, fixed = self._random.choice, {"created_at": _START}
        if table == "experiments":
            return {
                "experiment_name": choose("abc"),
                "status": choose(["active", "archived"]),
                "deleted_at": choose([None, None, self._time()]),
                "updated_at": _START,
                **fixed,
            }
        if table == "runs":
            return {
                "run_uuid": str(uuid.UUID(int=key)),
                "run_name": choose("rs"),
                "run_fingerprint": hashlib.sha256(str(key).encode()).hexdigest(),
                "status": choose(["running", "completed", "failed", "killed", "scheduled"]),
                "start_time": self._time(),
                "end_time": choose([None, self._time()]),
                "execution_duration_seconds": choose([None, Decimal("NaN"), Decimal(self._random.randrange(10**6)) / 1000]),
                "deleted_at": choose([None, None, self._time()]),
                "updated_at": _START,
                **fixed,
            }
        if table == "models":
            return {
                "model_uuid": str(uuid.UUID(int=key)),
                "model_name": choose("mn"),
                "model_type": choose(["SeasonalNaive", "AutoETS"]),
                "framework": "sklearn",
                "model_config": {},
                "model_file_path": "/dev/null",
                "status": choose(["evaluated", "trained"]),
                "updated_at": _START,
                **fixed,
            }
        if table == "model_registry":
            return {
                "registered_model_name": f"{choose('pq')}{key}",
                "model_version": 1,
                "current_stage": choose(["staging", "production", "archived", "none"]),
                "previous_stage": choose([None, "staging"]),
                "stage_transition_at": choose([None, self._time()]),
                "updated_at": _START,
                **fixed,
            }
        if table == "metrics":
            return {
                "metric_name": choose(["mae", "mae", "rmse", "smape", "loss", "r2", "x"]),
                "metric_value": self._double(),
                "metric_step": choose([None, 0, 1, 2]),
                "dataset_type": choose(["train", "validation", "test"]),
                "timestamp": self._time(),
            }
        return {
            "unique_id": choose("uv"),
            "horizon": choose([1, 2]),
            "prediction_date": _START + timedelta(days=choose([1, 2])),
            "predicted_value": self._double(),
            "actual_value": choose([None, self._double()]),
            "lower_bound": choose([None, self._random.gauss(-9, 1)]),
            "upper_bound": choose([None, self._random.gauss(9, 1)]),
            "confidence_level": choose([Decimal("0.80"), Decimal("0.90")]),
            "metadata": choose(
                [{}, {"cutoff": "2025-01-01T00:00:00"}, {"cutoff": "2025-01-01T00:00:00", "scale_mae": 3, "scale_mse": 0.7}]
            ),
            **fixed,
        }

    def _time(self) -> datetime:
        return _START + timedelta(hours=self._random.randrange(20_000))

    def _double(self) -> float:
        special = (0.0, -0.0, float("nan"), float("inf"), -1e308, 5e-324)
        return self._random.choice(special) if self._random.random() < 0.15 else self._random.gauss(3, 2)


def together(histories: list[History]) -> dict[str, list[Row]]:
    """The rows of several histories as one database, parents first."""
    return {table: [row for history in histories for row in history.state[table].values()] for table in KEYS}
