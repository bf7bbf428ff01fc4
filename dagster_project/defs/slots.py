"""Replication slots are watched: no source shall suffer from ours.

Belongs here: the sensor and what it tells people. Does not belong here: what a slot is and how it is dropped (`ingestion.slot`). Every
system is looked at, since a slot may be left over from a contract that has changed.
"""

import json
from collections.abc import Iterator

import dagster as dg
import psycopg2

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import shared_contracts
from dagster_project.errors import RunmartError
from dagster_project.ingestion import slot
from dagster_project.ingestion.errors import SyncError, from_driver
from dagster_project.ingestion.source import connect
from dagster_project.resources.alerts import Alerts
from dagster_project.resources.warehouse import Sources
from dagster_project.words import size


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def replication_slots(context: dg.SensorEvaluationContext, sources: Sources, alerts: Alerts) -> dg.SkipReason:
    """Drop a slot that holds back too much of its source's log, and withdraw tables that the source would refuse to update."""
    told: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    found: dict[str, str] = {}
    contracts = shared_contracts()
    for system, contract in contracts.items():
        try:
            found.update(_problems(contract, sources.url(system)))
        except psycopg2.Error as error:
            context.log.warning(str(from_driver(error, f"the source {system}")))
        except RunmartError as error:
            context.log.warning(str(error))
    new = {problem: line for problem, line in found.items() if problem not in told}
    if new:
        alerts.send(title="Runmart: replication slot", body="\n".join(new.values()))
    context.update_cursor(json.dumps(found))
    return dg.SkipReason(f"{len(contracts)} systems looked at, {len(found)} problems, {len(new)} of them are new")


def _problems(contract: SystemContract, url: str) -> Iterator[tuple[str, str]]:
    """What was wrong at one source, by a name that stays the same as long as it is."""
    system = contract.system
    next_step = (
        f"Syncs go on by the horizon, nothing is lost. Next: `runmart source status {system}`, then `runmart source enable-cdc {system}`."
    )
    with connect(contract, url) as connection, connection.cursor() as cursor:
        try:
            limit = slot.limit_bytes(contract)
            dropped = slot.drop_if_over(cursor, contract, limit)
            if dropped:
                held_back = f"{size(dropped.retained_bytes)} of the log of {system}, more than {size(limit)}"
                yield f"{system} dropped", f"The slot {dropped.name} held back {held_back}, and was dropped. {next_step}"
            for table, reason in slot.withdraw(cursor, contract).items():
                why = f"the source would refuse to update its rows ({reason})"
                yield f"{system} {table}", f"{table} of {system} was taken out of the publication: {why}. {next_step}"
        except SyncError as error:
            yield f"{system} stuck", f"{error}"


@dg.definitions
def slots() -> dg.Definitions:
    """The sensor that watches slots, once a minute."""
    return dg.Definitions(sensors=[replication_slots])
