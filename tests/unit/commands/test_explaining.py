"""`runmart explain` without a warehouse: its arguments, what it prints, and its exit codes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from dagster_project import cli
from dagster_project.commands import explaining
from dagster_project.commands.explaining import parse_key
from dagster_project.marts.explanation import Explanation, SourceRow, SourceRows
from dagster_project.settings import ConfigurationError

TIMES = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 2, 12, tzinfo=UTC)
ORDERS = SourceRows(
    table="shop.orders",
    key=("order_id", "placed_at"),
    count=1200,
    later=0,
    batch_ids=(3, 7),
    synced_at=TIMES,
    rows=(SourceRow(("1", "2026-01-01"), 3, TIMES[0]), SourceRow(("2", "2026-01-02"), 7, TIMES[1])),
)
NO_RETURNS = SourceRows("shop.returns", ("return_id",), 0, 0, None, None, ())
EXPLANATION = Explanation(
    mart="sales",
    grain=("day",),
    column="total",
    row={"day": "2026-01-02", "total": "0.1", "returned": None, "refreshed_at": "2026-01-03", "source_batch_id": "7"},
    recomputed={"total": "0.1"},
    sources=(ORDERS, NO_RETURNS),
    model="models/marts/sales.sql",
    sql="select [1]\n\nfrom orders",
    models_read=("models/orders.sql",),
    refresh_id=5,
    has_moved_on=False,
)


def run(monkeypatch: pytest.MonkeyPatch, explanation: Explanation, *words: str) -> Any:  # noqa: ANN401
    asked: list[object] = []

    def answer(_databases: object, *question: object) -> Explanation:
        asked.extend(question)
        return explanation

    monkeypatch.setattr(explaining, "explanation_of", answer)
    result = CliRunner().invoke(cli.app, ["explain", *words])
    assert asked == ["analytics.sales", ["day=2026-01-02"], "total", 2]
    return result


ASKED = ("analytics.sales", "--key", "day=2026-01-02", "--column", "total", "--rows", "2")


def test_row_and_the_rows_behind_it_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, EXPLANATION, *ASKED)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines() if line.strip(" ─")]
    assert lines == [
        "recomputed from these 1,200 rows: total = 0.1, as shown",
        "analytics.sales value",
        "day 2026-01-02",
        "total 0.1",
        "refreshed_at 2026-01-03",
        "source_batch_id 7",
        "shop.orders: 1,200 rows, batches 3 to 7, synced 2026-01-01 12:00:00 to 2026-01-02 12:00:00 UTC",
        "order_id placed_at batch synced at",
        "1 2026-01-01 3 2026-01-01 12:00:00",
        "2 2026-01-02 7 2026-01-02 12:00:00",
        "and 1,198 more",
        "shop.returns: no rows",
        "--sql shows the SQL that makes the row of them (models/marts/sales.sql)",
    ]


def test_sql_is_shown_after_the_rows_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run(monkeypatch, EXPLANATION, *ASKED, "--sql").output.splitlines()
    assert lines[lines.index("shop.returns: no rows") :] == [
        *("shop.returns: no rows", "", "models/marts/sales.sql, compiled:", "", "select [1]", "", "from orders", ""),
        *("it reads, in this order:", "  models/orders.sql"),
    ]


@pytest.mark.parametrize(
    ("changes", "first_line", "exit_code"),
    [
        ({"recomputed": {"total": "0.3"}}, "recomputed from these 1,200 rows: total = 0.3, not 0.1 as shown", 1),
        ({"recomputed": None}, "recomputed from these 1,200 rows: there is no such row, unlike what is shown", 1),
        (
            {"recomputed": {"total": "0.3"}, "has_moved_on": True},
            "raw has moved on since refresh 5: rows that were behind this one have gone or moved; "
            "`runmart refresh` brings the mart up to date",
            0,
        ),
        (
            {"sources": (replace(ORDERS, later=2),), "has_moved_on": True},
            "raw has moved on since refresh 5: 2 of these rows are newer; `runmart refresh` brings the mart up to date",
            0,
        ),
        (
            {"column": None, "recomputed": {"total": "0.1", "returned": None}, "sources": (replace(ORDERS, count=1),)},
            "recomputed from this 1 row: all 2 columns as shown",
            0,
        ),
        ({"column": "returned", "recomputed": {"returned": None}}, "recomputed from these 1,200 rows: returned = null, as shown", 0),
    ],
)
def test_first_line_says_whether_the_value_is_proven(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], first_line: str, exit_code: int
) -> None:
    result = run(monkeypatch, replace(EXPLANATION, **changes), *ASKED)
    assert result.output.splitlines()[0] == first_line
    assert result.exit_code == exit_code


@pytest.mark.parametrize(("recomputed", "differing", "exit_code"), [("0.1", [], 0), ("0.3", ["total"], 1)])
def test_json_holds_everything(monkeypatch: pytest.MonkeyPatch, recomputed: str, differing: list[str], exit_code: int) -> None:
    result = run(monkeypatch, replace(EXPLANATION, recomputed={"total": recomputed}), *ASKED, "--json")
    document = json.loads(result.output)
    assert document["row"] == EXPLANATION.row
    assert [(source["table"], source["count"], source["key"]) for source in document["sources"]] == [
        ("shop.orders", 1200, ["order_id", "placed_at"]),
        ("shop.returns", 0, ["return_id"]),
    ]
    assert document["sources"][0]["rows"][1] == {"key": ["2", "2026-01-02"], "batch_id": 7, "synced_at": "2026-01-02 12:00:00+00:00"}
    assert (document["recomputed"], document["differing"], result.exit_code) == ({"total": recomputed}, differing, exit_code)


def test_key_is_read_up_to_the_first_equals_sign() -> None:
    assert parse_key(["model_id=42", "note=a=b", "horizon="]) == [("model_id", "42"), ("note", "a=b"), ("horizon", "")]


@pytest.mark.parametrize("entry", ["model_id", "=42", ""])
def test_key_of_another_form_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not column=value; name the row as in --key model_id=42"):
        parse_key([entry])
