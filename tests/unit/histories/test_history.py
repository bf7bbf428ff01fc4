"""Histories of a database with keys of every shape: valid, repeatable, and with every kind of event."""

from collections import Counter
from collections.abc import Iterator

import pytest

from dagster_project.contracts.table import ForeignKey
from tests.histories.history import History, together
from tests.histories.schema import Column, Row, Schema, Table, in_order

STEPS = 30
SEEDS = range(5)


def column(type_name: str, *values: str, is_nullable: bool = False, odd: tuple[str, ...] = ()) -> Column:
    return Column(type_name, is_nullable, dict.fromkeys(values, 1.0), odd)


def reference(columns: str, parent: str, parent_columns: str) -> ForeignKey:
    return ForeignKey(columns=tuple(columns.split()), parent=parent, parent_columns=tuple(parent_columns.split()))


# Children before parents: the order of the histories must be another one.
SHOP: Schema = in_order(
    {
        "shipments": Table(
            key=("sent_at",),
            columns={
                "sent_at": column("timestamp with time zone"),
                "order_no": column("text", is_nullable=True),
                "line_no": column("smallint", is_nullable=True),
            },
            references=(reference("order_no line_no", "lines", "order_no line_no"),),
        ),
        # Of an order always, of one of its lines now and then.
        "parcels": Table(
            key=("parcel",),
            columns={
                "parcel": column("uuid"),
                "order_no": column("text", "o", "p"),
                "line_no": column("smallint", is_nullable=True),
            },
            references=(reference("order_no line_no", "lines", "order_no line_no"),),
        ),
        "lines": Table(
            key=("order_no", "line_no"),
            columns={
                "order_no": column("text"),
                "line_no": column("smallint"),
                "amount": column("double precision", "1.5", "2.5", "3.5", odd=("NaN", "-0.0")),
            },
            references=(reference("order_no", "orders", "order_no"),),
        ),
        "orders": Table(
            key=("order_no",),
            columns={
                "order_no": column("text"),
                "customer": column("uuid"),
                "replaced_by": column("text", is_nullable=True),
                "invoice": column("character varying(20)", "x", "y"),
                "status": column("text", "open", "paid", is_nullable=True),
            },
            references=(reference("customer", "customers", "id"), reference("replaced_by", "orders", "order_no")),
            unique=(("invoice",),),
        ),
        "customers": Table(key=("id",), columns={"id": column("uuid"), "name": column("text", "n", "m")}),
        "favourites": Table(
            key=("customer", "order_no"),
            columns={"customer": column("uuid"), "order_no": column("text"), "stars": column("integer", "1", "2", "3")},
            references=(reference("customer", "customers", "id"), reference("order_no", "orders", "order_no")),
        ),
        # The customer of a note is that of its order.
        "notes": Table(
            key=(),
            columns={"customer": column("uuid"), "order_no": column("text", is_nullable=True), "text": column("text", "t", "u")},
            references=(reference("order_no customer", "orders", "order_no customer"), reference("customer", "customers", "id")),
            unique=(("customer", "order_no", "text"),),
        ),
    }
)


def states(seed: int, number: int = 1) -> Iterator[dict[str, dict[int, Row]]]:
    """The states of a history, as they were."""
    history = History(SHOP, number, seed)
    for _ in range(STEPS):
        yield {table: dict(rows) for table, rows in history.state.items()}
        history.step()


def dangling(state: dict[str, dict[int, Row]]) -> list[tuple[str, Row]]:
    """Rows that refer to something that is not there."""
    found = []
    for name, table in SHOP.items():
        for key in table.references:
            known = [tuple(parent[column] for column in key.parent_columns) for parent in state[key.parent].values()]
            for row in state[name].values():
                values = tuple(row[column] for column in key.columns)
                if None not in values and values not in known:
                    found.append((name, row))
    return found


def test_parents_come_before_those_that_refer_to_them() -> None:
    names = [*SHOP]
    assert [(name, key.parent) for name in names for key in SHOP[name].references if names.index(key.parent) > names.index(name)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_every_state_is_valid(seed: int) -> None:
    for state in states(seed):
        assert dangling(state) == []
        for name, table in SHOP.items():
            rows = [*state[name].values()]
            assert all(row.keys() == table.columns.keys() for row in rows)
            assert [row for row in rows for known, value in row.items() if value is None and not table.columns[known].is_nullable] == []
            for rule in filter(None, (table.key, *table.unique)):
                values = [tuple(row[column] for column in rule) for row in rows]
                assert [value for value, times in Counter(values).items() if times > 1 and None not in value] == [], (name, rule)


def test_a_dangling_row_is_seen() -> None:
    *_, state = states(1)
    number, row = next(iter(state["lines"].items()))
    state["lines"][number] = {**row, "order_no": "none"}
    assert ("lines", state["lines"][number]) in dangling(state)


def test_a_seed_gives_one_history() -> None:
    assert [*states(3)] == [*states(3)]
    assert [*states(3)] != [*states(4)]


def test_histories_have_no_key_in_common() -> None:
    histories = [History(SHOP, number, seed=7) for number in (1, 2, 500)]
    for name, rows in together(histories).items():
        keys = [tuple(row[column] for column in SHOP[name].key) for row in rows]
        assert not SHOP[name].key or len(keys) == len(set(keys))
    assert max(int(row["line_no"] or 0) for row in together(histories)["lines"]) < 2**15


def events(seed: int) -> Iterator[tuple[str, str]]:
    """What happened to the tables from state to state, by what is seen of it."""
    gone: set[tuple[str, int]] = set()
    before: dict[str, dict[int, Row]] = {name: {} for name in SHOP}
    for state in states(seed):
        for name, rows in state.items():
            referring = {column for key in SHOP[name].references for column in key.columns}
            for number in before[name].keys() | rows.keys():
                old, new = before[name].get(number), rows.get(number)
                if old is None:
                    yield name, "came back" if (name, number) in gone else "came"
                elif new is None:
                    gone.add((name, number))
                    yield name, "went"
                else:
                    changed = {column for column in new if old[column] != new[column]}
                    yield from (
                        (name, event) for event, columns in (("moved", referring), ("changed", new.keys() - referring)) if changed & columns
                    )
                    yield from ((name, "left its parent") for column in changed & referring if new[column] is None)
        before = state


def test_every_kind_of_event_occurs_in_every_table() -> None:
    found = {event for seed in SEEDS for event in events(seed)}
    expected = {(name, event) for name in SHOP for event in ("came", "went", "came back")}
    expected |= {(name, "moved") for name, table in SHOP.items() if table.references}
    # The one column of a shipment, and of a parcel, that refers to nothing is its key.
    expected |= {(name, "changed") for name in SHOP if name not in ("shipments", "parcels")}
    expected |= {(name, "left its parent") for name in ("shipments", "parcels", "orders", "notes")}
    assert expected <= found


def test_values_at_the_edges_and_nulls_are_drawn() -> None:
    lines = [row for seed in SEEDS for state in states(seed) for row in state["lines"].values()]
    assert {row["amount"] for row in lines} == {"1.5", "2.5", "3.5", "NaN", "-0.0"}
    orders = [row for seed in SEEDS for state in states(seed) for row in state["orders"].values()]
    assert {row["status"] for row in orders} == {"open", "paid", None}


def test_some_steps_change_one_table_alone_and_some_nearly_everything() -> None:
    """Of tables that nothing refers to: what a parent takes along is a change too."""
    leaves = [name for name in SHOP if not any(key.parent == name for table in SHOP.values() for key in table.references)]
    alone, shares = 0, []
    for seed in SEEDS:
        before = None
        for state in states(seed):
            if before is not None:
                changed = {name: sum(before[name].get(n) != state[name].get(n) for n in before[name].keys() | state[name]) for name in SHOP}
                alone += sum(count > 0 for count in changed.values()) == 1
                shares += [changed[name] / max(1, len(before[name].keys() | state[name])) for name in leaves]
            before = state
    assert alone > STEPS // 2
    assert min(shares) == 0
    assert max(shares) > 0.5
    assert any(0 < share < 0.15 for share in shares)
