"""Histories of a database that nobody listed anything of: its own constraints take every state."""

from collections import Counter
from collections.abc import Callable

import pytest

from dagster_project.contracts.contract import SystemContract
from tests.databases import replace_rows, run
from tests.histories.catalog import UnknownValuesError, read_schema
from tests.histories.history import History, together
from tests.histories.singled_out import SingledOut, singled_out

SHOP = """
create type order_status as enum ('open', 'paid', 'it''s back');
create domain price as numeric(6, 2) check (value >= 0);
create table regions (region_id bigint generated always as identity primary key, region_name varchar(12) not null unique);
create table customers (
    id uuid primary key,
    region_id bigint not null references regions,
    email text not null,
    secret text not null check (secret ~ '^[a-z]+$'),
    kind text not null check (kind in ('person', 'company')),
    since date,
    unique (email)
);
create unique index on customers (lower(email));
create table orders (
    order_no text primary key,
    customer uuid not null references customers,
    replaced_by text references orders,
    status order_status not null,
    total price,
    total_twice numeric generated always as (total * 2) stored,
    ordered_at timestamp not null,
    paid_at timestamptz,
    details jsonb not null default '{}',
    labels text[],
    noted bytea,
    place point not null default '(0,0)',
    check (paid_at is null or paid_at >= ordered_at at time zone 'UTC')
);
create table lines (
    order_no text not null references orders,
    line_no smallint,
    amount double precision,
    quantity integer not null check (quantity > 0),
    primary key (order_no, line_no)
);
create table shipments (
    sent_at timestamptz primary key,
    order_no text,
    line_no smallint,
    foreign key (order_no, line_no) references lines
);
create table elsewhere (elsewhere_id integer primary key);
create table visits (
    at timestamp not null,
    customer uuid references customers,
    elsewhere_id integer references elsewhere,
    how interval
);
"""


def table(key: str, columns: str, **more: object) -> dict[str, object]:
    return {"description": "A table.", "key": key.split(), "columns": columns.split(), **more}


CONTRACT = SystemContract.model_validate(
    {
        "system": "shop",
        "description": "A shop.",
        "freshness": {"warn_after_hours": 1, "error_after_hours": 2},
        "tables": {
            "regions": table("region_id", "region_id region_name"),
            "customers": table("id", "id region_id email kind since", foreign_keys={"region_id": "regions.region_id"}),
            "orders": table(
                "order_no",
                "order_no customer replaced_by status total total_twice ordered_at paid_at details labels noted place",
                foreign_keys={"customer": "customers.id", "replaced_by": "orders.order_no"},
            ),
            "lines": table("order_no line_no", "order_no line_no amount quantity", foreign_keys={"order_no": "orders.order_no"}),
            "shipments": table(
                "sent_at",
                "sent_at order_no line_no",
                composite_foreign_keys=[{"columns": ["order_no", "line_no"], "parent": "lines", "parent_columns": ["order_no", "line_no"]}],
            ),
            "elsewhere": table("elsewhere_id", "elsewhere_id"),
            "visits": table(
                "",
                "at customer elsewhere_id how",
                without_key="replace",
                foreign_keys={"customer": "customers.id", "elsewhere_id": "elsewhere.elsewhere_id"},
            ),
        },
    }
)

SAID = singled_out(
    [column for declared in CONTRACT.tables.values() for column in declared.columns],
    [],
    [
        "select 1 from orders where status = 'paid' and status <> 'lost' and total > 99 and cast(details ->> 'due' as date) > ordered_at",
        "select count(*) from customers where kind = 'robot' group by kind",
    ],
)
NOTHING_SAID = singled_out([], [], [])


@pytest.fixture
def shop(new_database: Callable[[str], str]) -> str:
    url = new_database("empty")
    run(url, SHOP)
    return url


def read(url: str, *wanted: str, said: SingledOut = SAID) -> list[History]:
    schema = read_schema(url, CONTRACT, wanted, said)
    return [History(schema, number, seed=number) for number in range(1, 7)]


def test_the_database_takes_every_state(shop: str) -> None:
    histories = read(shop, *CONTRACT.tables)
    seen: Counter[str] = Counter()
    for _ in range(6):
        rows = together(histories)
        replace_rows(shop, rows.keys(), rows)
        for name in CONTRACT.tables:
            ((count,),) = run(shop, f"select count(*) from {name}")
            assert count == len(rows[name])
            seen[name] += count
        for history in histories:
            history.step()
    assert all(seen[name] > 0 for name in CONTRACT.tables)


def test_what_sql_and_checks_name_is_drawn_where_it_is_allowed(shop: str) -> None:
    rows = together(read(shop, "orders", "lines"))
    assert {row["status"] for row in rows["orders"]} == {"open", "paid", "it's back"}
    assert {row["kind"] for row in rows["customers"]} == {"person", "company"}
    schema = read_schema(shop, CONTRACT, ["orders"], SAID)
    assert {"98", "99", "100"} <= schema["orders"].columns["total"].values.keys()
    assert any("due" in str(row["details"]) for row in rows["orders"])
    assert schema["customers"].columns["kind"].is_meeting
    assert not schema["customers"].columns["email"].is_read
    assert "0" not in read_schema(shop, CONTRACT, ["lines"], SAID)["lines"].columns["quantity"].values


def test_only_the_parents_that_rows_need_come_along(shop: str) -> None:
    schema = read_schema(shop, CONTRACT, ["visits", "shipments"], SAID)
    assert set(schema) == {"visits", "shipments"}
    assert {*read_schema(shop, CONTRACT, ["lines"], SAID)} == {"lines", "orders", "customers", "regions"}
    rows = together(read(shop, "visits"))["visits"]
    assert {(row["customer"], row["elsewhere_id"]) for row in rows} == {(None, None)}


def test_what_the_database_demands_beyond_the_contract_is_given(shop: str) -> None:
    schema = read_schema(shop, CONTRACT, ["customers", "orders"], SAID)
    assert "secret" in schema["customers"].columns
    # Computed by the database, or of a type that is not known and has a default.
    assert {"total_twice", "place"}.isdisjoint(schema["orders"].columns)


def test_a_column_that_no_value_is_known_for_is_named(shop: str) -> None:
    run(shop, "alter table lines add column place point not null")
    with pytest.raises(UnknownValuesError, match=r"no value is known for lines.place, which is point and must keep no check; teach "):
        read_schema(shop, CONTRACT, ["lines"], NOTHING_SAID)
    run(shop, "alter table lines drop column place, add constraint odd check (quantity = 3 - quantity)")
    with pytest.raises(UnknownValuesError, match=r"lines.quantity, which is integer and must keep \[.*'\(quantity = \(3 - quantity\)\)'"):
        read_schema(shop, CONTRACT, ["lines"], NOTHING_SAID)
