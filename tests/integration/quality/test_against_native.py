"""Compiled checks against Great Expectations itself, over tables, suites and histories of batches that nobody has chosen.

After each batch the compiled checks, which have asked about what the batch may have changed, say what Great Expectations says of all rows:
the same verdicts, the same numbers, the same failing rows; and the ledger has one entry for each time that a row began to fail.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor

from dagster_project.quality.compiling import failing_query
from dagster_project.quality.native import native_verdicts
from dagster_project.quality.rules import rule
from dagster_project.quality.suites import Suite
from dagster_project.quality.validation import Project, validate
from tests.integration.quality.raw_history import Change, RawHistory, shop

HISTORIES = int(os.environ.get("RUNMART_TEST_HISTORIES", "40")) // 2

CONTRACT = shop(
    {
        "parents": {"description": "Parents.", "key": ["parent_id"], "columns": ["parent_id", "score", "grand_id"],
                    "foreign_keys": {"grand_id": "grands.grand_id"}},
        "grands": {"description": "Parents of parents.", "key": ["grand_id"], "columns": ["grand_id", "limit"]},
        "children": {
            "description": "Children.", "key": ["child_id", "line"],
            "columns": ["child_id", "line", "parent_id", "label", "value", "level", "code"],
            "foreign_keys": {"parent_id": "parents.parent_id"},
        },
    }
)  # fmt: skip
PROJECT = Project({"shop": CONTRACT})
RAW = RawHistory(
    CONTRACT,
    {
        "grands": 'grand_id bigint, "limit" double precision',
        "parents": "parent_id bigint, score double precision, grand_id bigint",
        "children": "child_id bigint, line integer, parent_id bigint, label text, value double precision, level numeric, code text",
    },
)

_NUMBERS = st.sampled_from([None, 0.0, -0.0, 1.0, 2.5, -3.0, 1e250, float("nan"), float("inf"), float("-inf")])
_LABELS = st.sampled_from([None, "", "a", "b", "it's", "100%", "{x}", " a"])
_VALUES = {
    "grand_id": st.integers(1, 2), "limit": _NUMBERS, "parent_id": st.integers(1, 4), "score": _NUMBERS, "child_id": st.integers(1, 4),
    "line": st.integers(1, 2), "label": _LABELS, "value": _NUMBERS, "level": st.sampled_from([None, 0, 1, 2, 7]), "code": _LABELS,
}  # fmt: skip


def _query(check: str, level: str, select: str, **meta: object) -> dict[str, object]:
    # Great Expectations gives an alias of its own, unless there is a join.
    query = f"with this as (select * from {{batch}}{' as batch' if ' join ' in select else ''})" + select
    kwargs, kind = {"unexpected_rows_query": query}, "unexpected_rows_expectation"
    return {"type": kind, "kwargs": kwargs, "meta": {"check": check, "level": level, **meta}}


def _typed(check: str, kind: str, level: str, **kwargs: object) -> dict[str, object]:
    return {"type": kind, "kwargs": kwargs, "meta": {"check": check, "level": level}}


# What rules look up alike is looked up once.
_LIMITS = (
    ', limits as materialized (select parent.parent_id, max(grand."limit") as "limit" from raw_shop.parents as parent join '
    "raw_shop.grands as grand on grand.grand_id = parent.grand_id and grand._deleted_at is null where parent._deleted_at is null "
    'group by parent.parent_id) select this.child_id, this.line, this.value, coalesce(limits."limit", 0) as allowed '
    "from this left join limits on limits.parent_id = this.parent_id"
)
_NOT_SAID = {"severity": "critical", "description": "Something."}
_OF_CHILDREN = {
    "in_set": st.lists(_LABELS.filter(bool), min_size=1, unique=True).map(
        lambda allowed: _typed("in_set", "expect_column_values_to_be_in_set", "row", column="label", value_set=allowed)
    ),
    "between": st.fixed_dictionaries(
        {"min_value": st.sampled_from([-1, 0, 1.5])}, optional={"max_value": st.sampled_from([2, 2.5, 9]), "strict_min": st.booleans()}
    ).map(lambda kwargs: _typed("between", "expect_column_values_to_be_between", "row", column="value", **kwargs)),
    "pair": st.booleans().map(
        lambda or_equal: _typed(
            "pair", "expect_column_pair_values_a_to_be_greater_than_b", "row", column_A="value", column_B="level", or_equal=or_equal
        )
    ),
    "code_is_unique": st.just(_typed("code_is_unique", "expect_column_values_to_be_unique", "table", column="code")),
    "pair_is_unique": st.just(
        _typed("pair_is_unique", "expect_compound_columns_to_be_unique", "table", column_list=["parent_id", "label"])
    ),
    "required": st.sampled_from(["label", "value", "code"]).map(
        lambda column: _query("required", "row", f" select child_id, line, {column} from this where {column} is null or {column} is null")
    ),
    "finite": st.just(
        _query("finite", "row", " select child_id, line, value from this where value in ('NaN', 'Infinity', '-Infinity') or label ~ '^\\s'")
    ),
    "has_parent": st.just(
        _query(
            "has_parent", "row", " select child_id, line, parent_id from this where parent_id is not null and not exists (select 1 from "
            "raw_shop.parents as parent where parent.parent_id = this.parent_id and parent._deleted_at is null)",
        )
    ),
    "below_limit": st.just(
        _query(
            "below_limit", "row", " select this.child_id, this.line, this.value, grand.\"limit\" from this join raw_shop.parents as parent "
            "on parent.parent_id = this.parent_id and parent._deleted_at is null join raw_shop.grands as grand on grand.grand_id = "
            "parent.grand_id and grand._deleted_at is null where this.value > grand.\"limit\"",
        )
    ),
    "above_limit_by": st.sampled_from([0, 1]).map(
        lambda more: _query(
            "above_limit_by", "row", f"{_LIMITS} where this.value > limits.\"limit\" + {more}",
        )
    ),
    "is_the_limit": st.just(_query("is_the_limit", "row", f"{_LIMITS} where this.value = limits.\"limit\" or this.label = 'it''s'")),
    "key_is_unique": st.just(_typed("key_is_unique", "expect_compound_columns_to_be_unique", "table", column_list=["line", "child_id"])),
    "one_level_in_label": st.just(
        _query(
            "one_level_in_label", "table", " select parent_id, label, min(level) as least, max(level) as most from this "
            "group by parent_id, label having max(level) > min(level)", within={"parent_id": "parent_id", "label": "label"},
        )
    ),
    "later_lines_are_higher": st.just(
        _query(
            "later_lines_are_higher", "table", " select child_id, line, level, before from (select *, lag(level) over "
            "(partition by child_id order by line) as before from this) as lines where level < before", within={"child_id": "child_id + 0"},
        )
    ),
    "few": st.integers(1, 6).map(
        lambda most: _query("few", "table", f" select count(*) as rows, max(value) as most from this having count(*) > {most}")
    ),
    "as_many_as_synced": st.just(
        _query(
            "as_many_as_synced", "table", ", newest as (select source_rows from ops.table_syncs where system = 'shop' and "
            "table_name = 'children' order by batch_id desc limit 1) select source_rows, live_rows from newest, "
            "(select count(*) as live_rows from this) as live where source_rows <> live_rows",
        )
    ),
    "as_long": st.just(_typed("as_long", "expect_column_value_lengths_to_be_between", "row", column="label", max_value=2)),
}  # fmt: skip


@st.composite
def suites(draw: st.DrawFn) -> Suite:
    """Any of the expectations, in any order."""
    names = draw(st.lists(st.sampled_from(sorted(_OF_CHILDREN)), min_size=4, unique=True))
    expectations = [{**draw(_OF_CHILDREN[name]), **_NOT_SAID} for name in names]
    return Suite.model_validate(
        {"name": "shop.children", "meta": {"key": list(CONTRACT.tables["children"].key)}, "expectations": expectations}
    )


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Any change."""
    table = draw(st.sampled_from(["children", "children", "children", "parents", "grands"]))
    row: dict[str, object] = {column: draw(_VALUES[column]) for column in CONTRACT.tables[table].columns}
    if table == "children":
        row["parent_id"] = draw(st.sampled_from([None, 1, 2, 3, 4]))
    return Change(table, row, draw(st.sampled_from([False, False, False, True])))


batches = st.lists(changes(), max_size=8)


@dataclass
class _Ledger:
    """What the ledger must say: by check and key, the batches in which a row began and ceased to fail."""

    entries: list[tuple[str, str, int, bool]] = field(default_factory=list)
    failing: Counter[tuple[str, str]] = field(default_factory=Counter)
    since: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def see(self, check: str, keys: Counter[str], batch_id: int) -> None:
        """A check fails for these rows, and for no others."""
        for key in {*keys, *(key for known, key in self.since if known == check)}:
            began = self.since.setdefault((check, key), [])
            while len(began) < keys[key]:
                began.append(batch_id)
            while len(began) > keys[key]:
                self.entries.append((check, key, began.pop(), True))

    def all(self) -> Counter[tuple[str, str, int, bool]]:
        """All entries, those of rows that still fail included."""
        still = [(check, key, batch, False) for (check, key), began in self.since.items() for batch in began]
        return Counter([*self.entries, *still])


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suite=suites(), history=st.lists(batches, min_size=2, max_size=5))
def test_compiled_checks_say_what_great_expectations_says(
    new_database: Callable[[str], str], suite: Suite, history: list[list[Change]]
) -> None:
    url = new_database("warehouse")
    ledger = _Ledger()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        RAW.create(cursor)
        for batch in history:
            batch_id = RAW.apply(cursor, batch)
            connection.commit()
            _compare(cursor, url, suite, ledger, batch_id)
            connection.commit()


def _compare(cursor: Cursor, url: str, suite: Suite, ledger: _Ledger, batch_id: int) -> None:
    found = {result.check_name: result for result in validate(url, suite, PROJECT).results}
    native = native_verdicts(url, suite)
    assert {check: (each.error, each.is_success, each.failing_rows) for check, each in found.items()} == {
        check: (each.error, each.is_success, each.failing_rows) for check, each in native.items()
    }
    assert {each.evaluated_rows for each in found.values()} <= {None, RAW.live(cursor)["children"]}
    for expectation in suite.expectations:
        compiled = rule(suite, expectation)
        if compiled:
            query = failing_query(compiled, suite.rows_query)
            cursor.execute(f"select cast(to_jsonb(failing) as text) from ({query}) as failing")
            documents = [json.loads(document) for (document,) in cursor.fetchall()]
            keys = Counter(json.dumps({name: document[name] for name in compiled.key}, sort_keys=True) for document in documents)
            ledger.see(compiled.check, keys, batch_id)
    cursor.execute("select check_name, cast(key as text), batch_id, resolved_at is not null from quality.failing_rows")
    kept = Counter((check, json.dumps(json.loads(key), sort_keys=True), batch, done) for check, key, batch, done in cursor.fetchall())
    assert kept == ledger.all()
