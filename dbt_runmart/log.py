"""What dbt writes to its log.

Belongs here: leaving out, in a refresh, what no log takes. Does not belong here: which levels the logs have (`resources.dbt_environment`).
"""

import os
from typing import Any

from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

from dbt_runmart.starting import REFRESH

_DETAILS = (EventLevel.DEBUG, EventLevel.TEST)

_fire_event = EventManager.fire_event


def write_what_is_read() -> None:
    """Let a refresh make no line of details unless a log takes details: dbt makes each for every log, and drops it then."""
    EventManager.fire_event = _unless_unheard  # type: ignore[method-assign, assignment]


def _unless_unheard(manager: EventManager, e: BaseEvent, level: EventLevel | None = None, *given: Any, **named: Any) -> None:  # noqa: ANN401
    is_detail = (level or e.level_tag()) in _DETAILS
    is_heard = REFRESH not in os.environ or manager.callbacks or any(log.level in _DETAILS for log in manager.loggers)
    if is_heard or not is_detail:
        _fire_event(manager, e, level, *given, **named)
