"""Bringing the warehouses of tenants up to date: a run each, several at a time, of those that have something new.

Belongs here: which tenants a command is about, and their runs, each in a process of its own. Does not belong here: what a run does
(`defs`), who the tenants are (`resources.tenants`), and their databases (`resources.tenant_databases`).
"""

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from dagster import DagsterInstance

from dagster_project.commands.runs import RunReport, loaded_definitions, run_job
from dagster_project.components.known import known_tenants, partitions_of
from dagster_project.contracts.loading import load_contracts
from dagster_project.errors import RunmartError
from dagster_project.resources.databases import Databases
from dagster_project.resources.instance import open_instance
from dagster_project.resources.news import tenants_with_news
from dagster_project.resources.tenant_databases import make_warehouse
from dagster_project.resources.tenants import listed_tenants
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such
from dagster_project.warehouse import of_tenants
from dagster_project.words import counted


@dataclass
class TenantReport:
    """What came of one tenant.

    Attributes:
        tenant: Its name.
        run: How its run went; None if nothing was new, or the run has told nothing.
        errors: Why it is not up to date, one line each; empty if it is.
        seconds: Time taken.
    """

    tenant: str
    run: RunReport | None = None
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """What came of it, in a word or two."""
        return "failed" if self.errors else "up to date" if self.run else "nothing new"

    @property
    def outcome(self) -> str:
        """What came of it, in a few words."""
        if self.errors:
            return "failed"
        if self.run is None:
            return "nothing is new"
        return f"{counted(self.run.changed, 'asset')} changed, {self.run.passed_checks:,} checks passed, {self.seconds:.1f} s"


def chosen_tenants(databases: Databases, system: str, names: Sequence[str]) -> list[str]:
    """The tenants named, or all active ones if none is.

    Raises:
        ConfigurationError: There is no tenant of that name, or it is not active.
    """
    listed = listed_tenants(databases, system)
    for name in names:
        if name not in listed:
            raise ConfigurationError(no_such(f"tenant of {system}", name, listed))
        if not listed[name].is_active:
            raise ConfigurationError(
                f"the tenant {name} of {system} is not active; `runmart tenant remove {name}` removes what is left of it"
            )
    return [*names] or [name for name, tenant in listed.items() if tenant.is_active]


def sync_tenants(databases: Databases, system: str, names: Sequence[str], say: Callable[[str], None]) -> Iterator[TenantReport]:
    """Bring the warehouses of tenants up to date, as they end; one that fails stops no other.

    Args:
        databases: Where everything is.
        system: A system with tenants.
        names: Active tenants.
        say: Called with a line about what is being done.
    """
    listed = listed_tenants(databases, system)
    with_news = tenants_with_news(databases, system, [listed[name] for name in names])
    yield from (TenantReport(name) for name in names if name not in with_news)
    if not with_news:
        return
    say(f"running {len(with_news)} of {counted(len(names), 'tenant')}")
    ready = []
    for report in _made(databases, system, with_news):
        if report.errors:
            yield report
        else:
            ready.append(report.tenant)
    # Imported once, before there are several processes.
    loaded_definitions().resolve_job_def(_job(system))
    yield from _run_side_by_side(databases, system, ready)


def _made(databases: Databases, system: str, names: Sequence[str]) -> Iterator[TenantReport]:
    """Make warehouses for the tenants that Dagster does not know, and tell Dagster."""
    with open_instance(databases) as instance:
        known = known_tenants(instance, of_tenants(system))
        for name in names:
            report = TenantReport(name)
            try:
                if name not in known:
                    make_warehouse(databases, system, name)
                    add_partition(instance, system, name)
            except RunmartError as error:
                report.errors.append(str(error))
            yield report


def add_partition(instance: DagsterInstance, system: str, name: str) -> None:
    """Let Dagster know of a tenant."""
    partitions = partitions_of(of_tenants(system))
    if partitions:
        instance.add_dynamic_partitions(str(partitions.name), [name])


def _run_side_by_side(databases: Databases, system: str, names: Sequence[str]) -> Iterator[TenantReport]:
    """Run tenants, as many at a time as the contract allows."""
    waiting, running = [*names], dict[Connection, tuple[str, ForkProcess, float]]()
    context = multiprocessing.get_context("fork")
    while waiting or running:
        while waiting and len(running) < load_contracts()[system].limits.tenants:
            name = waiting.pop(0)
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(target=_run, args=(databases, system, name, sending))
            process.start()
            sending.close()
            running[receiving] = (name, process, time.monotonic())
        for ended in wait([*running]):
            assert isinstance(ended, Connection)
            name, process, started = running.pop(ended)
            report = TenantReport(name, errors=["its run has died; what it said last stands above"])
            with suppress(EOFError):
                report = ended.recv()
            ended.close()
            process.join()
            report.seconds = round(time.monotonic() - started, 1)
            yield report


def _run(databases: Databases, system: str, name: str, told: Connection) -> None:
    """Run one tenant, and tell how it went."""
    try:
        with open_instance(databases) as instance:
            run = run_job(_job(system), instance, tenant=name)
        told.send(TenantReport(name, run, run.errors if not run.is_success else []))
    except RunmartError as error:
        told.send(TenantReport(name, errors=[str(error)]))
    except Exception:
        # Nobody expects it: all of it is worth reading.
        traceback.print_exc()
    finally:
        told.close()
        # What this process has of the one that forked it, such as a terminal, is not its own to end.
        os._exit(0)


def _job(system: str) -> str:
    return of_tenants(system).label("sync_and_refresh")
