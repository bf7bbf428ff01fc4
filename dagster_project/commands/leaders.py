"""The best models, as the demo's summary shows them.

Belongs here: one query against the published marts, run as an analyst would.
"""

from contextlib import closing
from dataclasses import dataclass

import psycopg2

_BEST = """
select experiment_name, model_type, mae, skill, common_pairs
from analytics.model_leaderboard
order by skill desc nulls last
limit 5
"""


@dataclass(frozen=True)
class Leader:
    """A model and how much better than seasonal naive it forecasts."""

    experiment: str
    model: str
    mae: float | None
    skill: float | None
    common_pairs: int


def best_models(analyst_url: str) -> list[Leader]:
    """The five models with the highest skill over all experiments."""
    with closing(psycopg2.connect(analyst_url)) as connection, connection.cursor() as cursor:
        cursor.execute(_BEST)
        return [Leader(*row) for row in cursor.fetchall()]
