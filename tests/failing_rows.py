"""Rows that fail a rule because a test says so.

Belongs here: the rule, and saying that rows fail it. Does not belong here: what becomes of such rows.
"""

from collections.abc import Sequence

from dagster_project.quality.suites import Suite


def suite_of(system: str, table: str, key: Sequence[str]) -> Suite:
    """A suite with one critical rule on rows, `is_right`, which no row breaks by itself."""
    shown = ", ".join(f'"{column}"' for column in key)
    rule = {
        "type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": f"with this as (select * from {{batch}}) select {shown} from this where false"},
        "severity": "critical",
        "description": "It is right.",
        "meta": {"check": "is_right", "level": "row"},
    }
    return Suite.model_validate({"name": f"{system}.{table}", "meta": {"key": list(key)}, "expectations": [rule]})


def failing(rows: str) -> str:
    """A statement by which rows fail it; takes the asset, `<system>/<table>`, and then what the query of their keys takes."""
    return (
        "insert into quality.failing_rows (asset_key, check_name, key, copy, observed, batch_id, first_seen_at, last_seen_at) "
        f"select %s, 'is_right', key, 1, '{{}}', 1, now(), now() from ({rows}) as rows (key)"
    )
