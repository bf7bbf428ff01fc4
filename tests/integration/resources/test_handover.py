"""What tenants hand over: whatever they publish, and whenever they do, the database that gets it holds it row for row, and nothing else.

The oracle is SQL: the rows of the published marts beside the rows that were handed over, all declared columns of both.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import psycopg2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg2.extras import execute_values, register_uuid

from dagster_project.contracts.loading import load_contracts
from dagster_project.defs.handover import handing_over
from dagster_project.resources.handover import Handover, HandoverError, Rows, hand_over, handed_over_by_tenant, last_refresh_of, receiver_of
from dagster_project.resources.warehouse import Sources, Warehouses
from dagster_project.warehouse import Warehouse, of_tenants
from tests.databases import run

CONTRACT = load_contracts()["llm_usage"]
KEYS = {"runs": "run_id", "steps": "step_id"}
MARTS = {"runs": "llm_runs", "steps": "llm_steps"}
COLUMNS = {table: [column for column in CONTRACT.tables[table].columns if column != "tenant_id"] for table in MARTS}
LISTED = {table: ", ".join(columns) for table, columns in COLUMNS.items()}
HISTORIES = 25

# As a tenant's marts are, with a text that must not leave it.
TABLES = """
create schema if not exists analytics authorization runmart_transform;
set role runmart_transform;
create table analytics.llm_runs (
    run_id uuid, status text, source_status text, current_step text, started_at timestamp, ended_at timestamp,
    wall_seconds double precision, steps_total bigint, steps_done bigint, retries bigint, refreshed_at timestamptz, source_batch_id bigint
);
create table analytics.llm_steps (
    step_id integer, run_id uuid, step text, status text, source_status text, provider text, llm_model text, retry_count integer,
    started_at timestamp, completed_at timestamp, latency_seconds double precision, input_tokens bigint, cache_read_tokens bigint,
    cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint, price_version text, cost_usd numeric, wasted_cost_usd numeric,
    refreshed_at timestamptz, source_batch_id bigint, error_message text
);
"""

A_REFRESH = """
insert into ops.refreshes (started_at, definition, batches, is_full, is_complete, marts)
values (%s, '', '{}', false, true, jsonb_build_object('llm_runs', %s::jsonb, 'llm_steps', %s::jsonb))
"""

# What ends the connection that writes into a table, as a server that is killed does.
KILLS = """
create function kill() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
create trigger kill after insert or update on {table} for each statement execute function kill();
"""

State = dict[str, dict[Any, tuple[Any, ...]]]


def a_run(number: int, chance: random.Random) -> tuple[Any, ...]:
    status = chance.choice(["queued", "running", "succeeded", "failed", "cancelled", "paused", "unknown"])
    seconds = chance.choice([None, 0.0, 1.5, 1e300])
    counts = [chance.choice([0, 1, 2**40, None]) for _ in range(3)]
    moments = [chance.choice([None, "2025-01-01 23:59:59.999999", "2025-01-02"]) for _ in range(2)]
    return (UUID(int=number), status, chance.choice([None, "completed"]), chance.choice([None, "outline"]), *moments, seconds, *counts)


def a_step(number: int, run_number: int, chance: random.Random) -> tuple[Any, ...]:
    words = [chance.choice([None, "claude", "it's\t\\N\n"]) for _ in range(3)]
    moments = [chance.choice([None, "2025-01-01", "2025-01-02 12:00:00.000001"]) for _ in range(2)]
    tokens = [chance.choice([None, 0, 7, 2**40]) for _ in range(5)]
    costs = [chance.choice([None, "0", "0.000000125", "12345678901234567890.5"]) for _ in range(2)]
    status = chance.choice(["succeeded", "failed", "running"])
    head = (number, UUID(int=run_number), chance.choice(["outline", "draft"]), status, *words, chance.choice([None, 0, 3]))
    return (*head, *moments, chance.choice([None, 2.25]), *tokens, chance.choice([None, "v1"]), *costs)


@dataclass
class Tenant:
    """A tenant with published marts.

    Attributes:
        warehouse: Its warehouse.
        usage_url: Where it hands over to.
        state: What is to be published next, by table and key.
    """

    warehouse: Warehouse
    usage_url: str
    state: State = field(default_factory=lambda: {"runs": {}, "steps": {}})

    @property
    def name(self) -> str:
        return str(self.warehouse.tenant)

    def change(self, chance: random.Random) -> None:
        """One change of what will be published."""
        runs, steps = self.state["runs"], self.state["steps"]
        number = chance.randint(1, 6)
        match chance.choice(["run", "run", "step", "step", "step", "less", "no run", "nothing"]):
            case "run":
                runs[UUID(int=number)] = a_run(number, chance)
            case "step" if runs:
                step = chance.randint(1, 12)
                steps[step] = a_step(step, chance.choice(sorted(runs)).int, chance)
            case "less" if steps:
                steps.pop(chance.choice(sorted(steps)))
            case "no run" if runs:
                gone = chance.choice(sorted(runs))
                runs.pop(gone)
                self.state["steps"] = {key: step for key, step in steps.items() if step[1] != gone}

    def publish(self) -> None:
        """As the engine does: rows that differ are deleted and inserted, with the refresh that wrote them, in one transaction."""
        with closing(psycopg2.connect(self.warehouse.url, options="-c role=runmart_transform")) as connection, connection:
            register_uuid(conn_or_curs=connection)  # type: ignore[no-untyped-call]
            with connection.cursor() as cursor:
                cursor.execute("select clock_timestamp()")
                (started_at,) = cursor.fetchall()[0]
                counts = [self._write(cursor, table, started_at) for table in MARTS]
                cursor.execute(A_REFRESH, (started_at, *counts))

    def _write(self, cursor: Any, table: str, started_at: object) -> str:  # noqa: ANN401 (of a driver)
        mart, listed = f"analytics.{MARTS[table]}", LISTED[table]
        cursor.execute(f"create temporary table wanted on commit drop as select {listed} from {mart} limit 0")
        execute_values(cursor, f"insert into wanted ({listed}) values %s", [*self.state[table].values()])
        same = f"row({', '.join(f'p.{c}' for c in COLUMNS[table])})::text = row({', '.join(f'w.{c}' for c in COLUMNS[table])})::text"
        cursor.execute(f"delete from {mart} as p where not exists (select from wanted as w where {same})")
        deleted = cursor.rowcount
        cursor.execute(
            f"insert into {mart} ({listed}, refreshed_at) select {', '.join(f'w.{c}' for c in COLUMNS[table])}, %s from wanted as w"
            f" where not exists (select from {mart} as p where {same})",
            (started_at,),
        )
        inserted = cursor.rowcount
        cursor.execute("drop table wanted")
        return f'{{"inserted": {inserted}, "deleted": {deleted}}}'

    def hand_over(self) -> Handover | None:
        return hand_over(CONTRACT, self.warehouse, self.usage_url)

    def published(self) -> dict[str, list[Any]]:
        """All rows of the marts, all columns that may leave, as text."""
        return {
            table: run(self.warehouse.url, f"select row({LISTED[table]})::text from analytics.{mart} order by {KEYS[table]}")
            for table, mart in MARTS.items()
        }

    def handed_over(self) -> dict[str, list[Any]]:
        """The rows that were handed over."""
        query = "select row({})::text from {} where tenant_id = %s order by {}"
        return {table: run(self.usage_url, query.format(LISTED[table], table, KEYS[table]), self.name) for table in MARTS}

    def versions(self) -> list[Any]:
        """What changes with every write of a row that was handed over, and of the note of it."""
        query = " union all ".join(
            f"select '{table}', ctid::text, xmin::text from {table} where tenant_id = %(tenant)s" for table in (*MARTS, "handed_over")
        )
        with closing(psycopg2.connect(self.usage_url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"{query} order by 1, 2, 3", {"tenant": self.name})
            return cursor.fetchall()


Make = Callable[[str], Tenant]


@pytest.fixture
def usage_url(new_database: Callable[[str], str]) -> str:
    return new_database("llm_usage")


@pytest.fixture
def make(new_database: Callable[[str], str], usage_url: str, tmp_path: Path) -> Make:
    """Make a tenant whose marts are empty."""

    def tenant(name: str) -> Tenant:
        url = new_database("warehouse")
        run(url, TABLES)
        return Tenant(Warehouse(url, tmp_path / name, of_tenants("llm_workflow"), tenant=name), usage_url)

    return tenant


@pytest.fixture
def acme(make: Make) -> Tenant:
    """A tenant with two runs of two steps each, published once and not handed over."""
    tenant, chance = make("acme"), random.Random(0)  # noqa: S311
    for number in (1, 2):
        tenant.state["runs"][UUID(int=number)] = a_run(number, chance)
        tenant.state["steps"] |= {step: a_step(step, number, chance) for step in (2 * number, 2 * number + 1)}
    tenant.publish()
    return tenant


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_what_is_handed_over_is_what_is_published(pair: list[Tenant], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    for _ in range(chance.randint(1, 6)):
        tenant = chance.choice(pair)
        (other,) = [each for each in pair if each is not tenant]
        untouched = other.versions()
        for _ in range(chance.randint(1, 3)):
            for _ in range(chance.randint(0, 5)):
                tenant.change(chance)
            tenant.publish()
        assert isinstance(tenant.hand_over(), Handover)
        assert tenant.handed_over() == tenant.published()
        assert other.versions() == untouched
        assert handed_over_by_tenant(CONTRACT, tenant.usage_url)[tenant.name] == last_refresh_of(tenant.warehouse)


@pytest.fixture
def pair(make: Make) -> list[Tenant]:
    """Two tenants, of whom the keys are the same."""
    return [make("acme"), make("north")]


def test_a_repeat_writes_nothing(acme: Tenant) -> None:
    assert acme.hand_over() == Handover(1, {"runs": Rows(2, 0), "steps": Rows(4, 0)})
    before = acme.versions()
    assert acme.hand_over() is None
    assert acme.versions() == before


def test_a_refresh_that_changes_nothing_is_noted_and_writes_no_row(acme: Tenant) -> None:
    acme.hand_over()
    rows = [version for version in acme.versions() if version[0] != "handed_over"]
    acme.publish()
    assert acme.hand_over() == Handover(2, {"runs": Rows(0, 0), "steps": Rows(0, 0)})
    assert [version for version in acme.versions() if version[0] != "handed_over"] == rows


def test_only_rows_that_refreshes_have_written_since_are_read(acme: Tenant) -> None:
    acme.hand_over()
    before = acme.handed_over()
    # Rows that no refresh has written, or taken away: whoever reads them all sees it.
    run(acme.warehouse.url, "update analytics.llm_steps set step = 'somebody else' where step_id = 2")
    run(acme.warehouse.url, "delete from analytics.llm_steps where step_id = 3")
    run(acme.warehouse.url, A_REFRESH, "2030-01-01", '{"inserted": 0, "deleted": 0}', '{"inserted": 0, "deleted": 0}')
    assert acme.hand_over() == Handover(2, {"runs": Rows(0, 0), "steps": Rows(0, 0)})
    assert acme.handed_over() == before


def test_a_row_that_goes_and_comes_between_two_hand_overs_is_one_that_changes(acme: Tenant) -> None:
    acme.hand_over()
    step = acme.state["steps"].pop(2)
    acme.publish()
    acme.state["steps"][2] = (*step[:2], "draft 2", *step[3:])
    acme.publish()
    assert acme.hand_over() == Handover(3, {"runs": Rows(0, 0), "steps": Rows(1, 0)})
    assert acme.handed_over() == acme.published()


def test_a_run_goes_with_its_steps(acme: Tenant) -> None:
    acme.hand_over()
    acme.state["runs"].pop(UUID(int=2))
    acme.state["steps"] = {key: step for key, step in acme.state["steps"].items() if step[1] != UUID(int=2)}
    acme.publish()
    assert acme.hand_over() == Handover(2, {"runs": Rows(0, 1), "steps": Rows(0, 2)})
    assert acme.handed_over() == acme.published()


@pytest.mark.parametrize("table", ["runs", "steps", "handed_over"])
def test_one_that_is_killed_leaves_what_was_there(acme: Tenant, table: str) -> None:
    acme.hand_over()
    before, note = acme.handed_over(), handed_over_by_tenant(CONTRACT, acme.usage_url)
    chance = random.Random(1)  # noqa: S311
    acme.state["runs"] = {UUID(int=number): a_run(number, chance) for number in (1, 3)}
    acme.state["steps"] = {9: a_step(9, 3, chance)}
    acme.publish()
    run(acme.usage_url, KILLS.format(table=table))
    with pytest.raises(HandoverError, match=r"^nothing was handed over of acme: "):
        acme.hand_over()
    assert (acme.handed_over(), handed_over_by_tenant(CONTRACT, acme.usage_url)) == (before, note)
    run(acme.usage_url, f"drop trigger kill on {table}")
    assert isinstance(acme.hand_over(), Handover)
    assert acme.handed_over() == acme.published()


def test_two_at_once_take_turns(acme: Tenant) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(lambda _: acme.hand_over(), range(2))]
    assert sorted(result is None for result in results) == [False, True]
    assert acme.handed_over() == acme.published()


def test_a_warehouse_that_was_made_anew_is_handed_over_whole(acme: Tenant, make: Make) -> None:
    acme.hand_over()
    again = make("acme")
    again.state["runs"][UUID(int=7)] = a_run(7, random.Random(7))  # noqa: S311
    again.publish()
    assert last_refresh_of(again.warehouse) == last_refresh_of(acme.warehouse)
    assert again.hand_over() == Handover(1, {"runs": Rows(1, 2), "steps": Rows(0, 4)})
    assert again.handed_over() == again.published()


def test_nothing_else_is_read_than_the_contract_lists(acme: Tenant) -> None:
    """The text beside the numbers cannot be read at all: whoever asked for it would fail."""
    run(
        acme.warehouse.url,
        "alter table analytics.llm_steps rename to kept_apart; create view analytics.llm_steps as select *,"
        " (1 / (step_id - step_id))::text as what_the_customer_wrote from analytics.kept_apart;"
        " grant select on analytics.llm_steps to runmart_transform",
    )
    with pytest.raises(psycopg2.errors.DivisionByZero):
        run(acme.warehouse.url, "select * from analytics.llm_steps")
    assert isinstance(acme.hand_over(), Handover)
    assert acme.handed_over() == acme.published()


def test_nothing_is_handed_over_before_all_of_it_is_published(make: Make) -> None:
    tenant = make("acme")
    assert tenant.hand_over() is None
    tenant.publish()
    run(tenant.warehouse.url, "drop table analytics.llm_steps")
    assert tenant.hand_over() is None
    assert handed_over_by_tenant(CONTRACT, tenant.usage_url) == {}


def test_steps_of_a_run_that_is_not_published_are_refused(acme: Tenant) -> None:
    run(acme.warehouse.url, "delete from analytics.llm_runs")
    with pytest.raises(HandoverError, match="violates foreign key constraint"):
        acme.hand_over()
    assert acme.handed_over() == {"runs": [], "steps": []}


def test_a_database_that_cannot_be_reached_is_told_without_its_password(acme: Tenant) -> None:
    acme.usage_url = "postgresql://somebody:secret-of-usage@127.0.0.1:1/llm_usage"
    with pytest.raises(HandoverError, match=r"^nothing was handed over of acme: ") as raised:
        acme.hand_over()
    assert "secret-of-usage" not in str(raised.value)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("llm_workflow", ["acme"])
        yield instance


def test_the_asset_tells_of_a_hand_over_only(acme: Tenant, instance: dg.DagsterInstance) -> None:
    namespace = of_tenants("llm_workflow")
    receiver = receiver_of("llm_workflow")
    assert receiver is not None
    resources: Mapping[str, object] = {
        "warehouses": Warehouses((acme.warehouse,)),
        "sources": Sources(fixed_urls={"llm_usage": acme.usage_url}),
    }

    def told() -> list[Any]:
        result = dg.materialize([handing_over(namespace, receiver)], instance=instance, resources=resources, partition_key="acme")
        assert result.success
        return [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]

    (first,) = told()
    assert first.asset_key == dg.AssetKey(["llm_workflow", "analytics", "handover"])
    assert first.metadata["refresh_id"].value == 1
    assert [record.data for record in first.metadata["rows"].records] == [
        {"table": "runs", "written": 2, "deleted": 0},
        {"table": "steps", "written": 4, "deleted": 0},
    ]
    assert told() == []
    acme.publish()
    assert [each.metadata["refresh_id"].value for each in told()] == [2]


def test_of_a_system_without_tenants_nothing_is_handed_over() -> None:
    assert receiver_of("llm_workflow") == CONTRACT
    assert receiver_of("llm_control") is None
