"""Which marts are recomputed together, and which follow rows of others; what a mart forgets to say is said."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.lineage import MART, Group, MartDeclarationError, Model, Project, Rows
from dagster_project.marts.plan import STEP, VIEW, Plan, make_plan
from dagster_project.marts.postgres.touching import touching

TABLES = {
    "customers": {"description": "Who buys.", "key": ["customer_id"], "columns": ["customer_id"]},
    "lines": {
        "description": "What is bought.",
        "key": ["line_id"],
        "columns": ["line_id", "customer_id", "day", "amount"],
        "foreign_keys": {"customer_id": "customers.customer_id"},
    },
}
FRESHNESS = {"warn_after_hours": 1, "error_after_hours": 2}
SHOP = SystemContract.model_validate({"system": "shop", "description": "A shop.", "freshness": FRESHNESS, "tables": TABLES})
BY_DAY, OF_A_DAY = Rows("sales", ("customer_id", "day")), Rows("sales", ("day",))


def model(
    name: str, kind: str = MART, *, reads: str = "", tables: str = "", columns: str = "customer_id day", group: Group | Rows | None = None
) -> Model:
    """A model that reads others and raw tables."""
    return Model(
        name=name,
        kind=kind,
        schema="analytics",
        description="",
        columns=dict.fromkeys(columns.split(), ""),
        grain=("row",),
        group=group,
        is_whole=False,
        touched_by=(),
        touches=None,
        indexes=(),
        history_of=None,
        bears_on={},
        models=tuple(reads.split()),
        tables=frozenset(("shop", table) for table in tables.split()),
        code="",
        references={},
    )


SALES = model("sales", tables="lines customers", columns="line_id customer_id day amount", group=Group("shop", "lines", {}))
REGULARS = model("regulars", reads="sales", columns="customer_id", group=Rows("sales", ("customer_id",)))


def plan(*models: Model) -> Plan:
    return make_plan(Project({each.name: each for each in models}), {"shop": SHOP})


def test_mart_follows_the_marts_that_it_reads() -> None:
    found = plan(SALES, REGULARS, model("days", reads="sales regulars", group=BY_DAY))
    assert [family.models for family in found.families] == [("sales",)]
    assert [(each.models, each.followed) for each in found.followers] == [
        (("regulars",), {"sales": ("customer_id",)}),
        (("days",), {"sales": ("customer_id", "day"), "regulars": ("customer_id",)}),
    ]
    assert found.group_columns("days") == ("customer_id", "day")
    assert found.referring_columns("regulars", found.followers[1]) == {"customer_id": "customer_id"}


def test_time_touches_groups_of_the_system_that_its_rule_is_about() -> None:
    """A mart of several systems has rules of them all."""
    rules = [replace(model(f"{system}_due", VIEW), touches=(system, "lines")) for system in ("shop", "elsewhere")]
    made = plan(replace(SALES, touched_by=tuple(rule.name for rule in rules)), *rules)
    (family,) = made.families
    assert {*made.project.models["sales"].touched_by} == {"shop_due", "elsewhere_due"}
    assert {rule.name for rule in family.rules} == {"shop_due"}
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    found = touching(made, family, seen=0, since=(moment, moment)).rules
    assert [(table, "shop_due" in query) for table, query in found] == [("lines", True)]


def test_own_records_may_be_read_where_a_rule_tells_when_they_change() -> None:
    found = replace(model("files_read", VIEW, reads=""), tables=frozenset({("quality", "stored_files")}), touches=("shop", "lines"))
    sales = replace(SALES, models=("files_read",))
    told = plan(found, replace(sales, touched_by=("files_read",)))
    assert told.untold_records("sales") == set()
    assert told.untold_records("files_read") == {("quality", "stored_files")}
    with pytest.raises(MartDeclarationError, match=r"mart sales reads quality.stored_files, .* let a rule that reads it tell"):
        plan(found, sales)


def test_marts_of_one_step_follow_together_and_others_by_themselves() -> None:
    step = model("ordered", STEP, reads="sales")
    found = plan(SALES, step, model("days", reads="ordered", group=BY_DAY), model("weeks", reads="ordered", group=BY_DAY))
    assert [each.models for each in found.followers] == [("days", "ordered", "weeks")]
    found = plan(SALES, model("days", reads="sales", group=BY_DAY), model("weeks", reads="sales", group=BY_DAY))
    assert [each.models for each in found.followers] == [("days",), ("weeks",)]


def test_what_follows_is_published_with_what_it_follows() -> None:
    view = model("shown", VIEW, reads="days")
    alone = model("alone", tables="customers", group=Group("shop", "customers", {}))
    found = plan(SALES, model("days", reads="sales", group=BY_DAY), view, alone)
    assert {each.name for each in found.published_with(["sales"])} == {"sales", "days"}
    assert {each.name for each in found.published_with(["shown"])} == {"sales", "days", "shown"}
    assert {each.name for each in found.published_with(["alone"])} == {"alone"}


def test_what_needs_a_model_that_fails_is_held_with_it() -> None:
    step = model("ordered", STEP, reads="sales")
    view = model("shown", VIEW, reads="days")
    alone = model("alone", tables="customers", group=Group("shop", "customers", {}))
    reader = model("reader", VIEW, reads="alone")
    found = plan(SALES, step, model("days", reads="ordered", group=BY_DAY), view, alone, reader)
    assert found.held_with([]) == {}
    assert found.held_with(["reader"]) == {"reader": {"reader"}}
    assert found.held_with(["alone"]) == {"alone": {"alone"}, "reader": {"alone"}}
    # What follows a mart must not fall behind it, so that neither is published without the other.
    assert found.held_with(["ordered", "reader"]) == {
        "days": {"ordered"}, "sales": {"ordered"}, "shown": {"ordered"}, "reader": {"reader"},
    }  # fmt: skip


def parts_of(schema: str, *tables: str) -> list[Model]:
    """Models that each say whose rows theirs are, of the tables in these lists; not marts, as what a mart unites."""
    groups = {"lines": Group("shop", "lines", {"key": "line_id"}), "customers": Group("shop", "customers", {"key": "customer_id"})}
    made = [model(f"part_{table.split()[0]}", VIEW, tables=table, columns="key", group=groups[table.split()[0]]) for table in tables]
    return [replace(each, schema=schema) for each in made]


def test_rows_of_two_tables_of_a_system_are_united_each_with_groups_of_its_own() -> None:
    """A row of one table touches nothing of the other, though a foreign key leads there."""
    both = model("both", reads="part_lines part_customers", columns="key")
    found = plan(*parts_of("staging", "lines", "customers"), both)
    assert [(each.name, each.group.table) for each in found.families] == [
        ("both__shop__lines", "lines"),
        ("both__shop__customers", "customers"),
    ]
    assert [each.influence.owned for each in found.families] == [{"lines"}, {"customers"}]
    assert found.group_columns("both") == ("key",)


@pytest.mark.parametrize(
    ("parts", "beside"),
    [(("lines customers", "customers"), ()), (("lines", "customers"), (model("beside", VIEW, tables="customers"),))],
)
def test_what_is_united_of_a_system_is_made_of_tables_apart(parts: tuple[str, str], beside: tuple[Model, ...]) -> None:
    reads = " ".join(["part_lines", "part_customers", *(each.name for each in beside)])
    with pytest.raises(
        MartDeclarationError, match=r"shop\.lines and of shop\.customers as its groups, and both are made of shop\.customers"
    ):
        plan(*parts_of("staging", *parts), *beside, model("both", reads=reads, columns="key"))


@pytest.mark.parametrize(
    ("models", "complaint"),
    [
        ((model("days", reads="sales", tables="customers", group=BY_DAY),), "mart days .* reads the raw table shop.customers past marts"),
        ((model("days", reads="sales", columns="day", group=BY_DAY),), "mart days has no column customer_id"),
        ((model("days", tables="", group=BY_DAY),), "mart days has rows of sales as its groups, but does not read it"),
        (
            (model("names", columns="name", reads="sales", group=Rows("sales", ())), model("days", reads="sales names", group=BY_DAY)),
            "mart days reads the mart names, which has no column customer_id, day",
        ),
        (
            (
                REGULARS,
                model("ordered", STEP, reads="sales"),
                model("days", reads="ordered regulars", group=BY_DAY),
                model("weeks", reads="ordered", group=BY_DAY),
            ),
            "ordered is recomputed with the mart days, which reads the mart regulars",
        ),
        (
            (
                model("ordered", STEP, reads="sales"),
                model("days", reads="ordered", group=BY_DAY),
                model("all", reads="ordered", group=OF_A_DAY),
            ),
            "step ordered is read by marts of different groups",
        ),
    ],
)
def test_what_does_not_fit_is_said(models: tuple[Model, ...], complaint: str) -> None:
    with pytest.raises(MartDeclarationError, match=complaint):
        plan(SALES, *models)
