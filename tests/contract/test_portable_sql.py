"""Models say nothing that only one SQL engine says, or that two engines answer differently.

Belongs here: what the SQL of models may be made of, held against each of them as it is in a full and in an incremental refresh. Does not
belong here: what `dialect.sql` says for one engine; it is replaced by the dialect of no engine. SQL is read as Spark reads it, which is far
from PostgreSQL: what is left has to mean the same in both.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt.adapters.postgres.relation import PostgresRelation
from dbt.cli.main import dbtRunner
from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError

from dagster_project.settings import PROJECT_ROOT

PROJECT = PROJECT_ROOT / "dbt_project"
NO_DIALECT = Path(__file__).parent / "no_dialect.sql"
REFRESH = """{% macro refresh_under_way() %}
    {% do return({'is_full': var('is_full'), 'started_at': '2026-01-02', 'batches': {}, 'relations': {}}) %}
{% endmacro %}"""

# What PostgreSQL and Spark agree upon. What is missing here need not be wrong: find out what engines make of its nulls, its types and its
# order of rows; then add it, or give it a macro in dialect.sql.
PORTABLE: set[type[exp.Expr]] = {
    *(exp.Select, exp.Distinct, exp.From, exp.Join, exp.Lateral, exp.Where, exp.Group, exp.GroupingSets, exp.Order, exp.Ordered, exp.Union),
    *(exp.With, exp.CTE, exp.Subquery, exp.Values, exp.Tuple, exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup),
    *(exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Var),
    *(exp.Literal, exp.Boolean, exp.Null, exp.Interval, exp.DataType, exp.DataTypeParam),
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between, exp.Exists),
    *(exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.DPipe, exp.Case, exp.If),
    # How Spark reads a cast.
    exp.TryCast,
    *(exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg, exp.PercentileCont, exp.Grouping, exp.RowNumber, exp.Rank, exp.FirstValue),
    *(exp.Abs, exp.Sqrt, exp.Greatest, exp.Coalesce, exp.Nullif, exp.MD5, exp.Lower, exp.RegexpReplace, exp.Extract, exp.TimestampTrunc),
}
TYPES = {exp.DType.INT, exp.DType.BIGINT, exp.DType.DATE, exp.DType.BOOLEAN}


def read(sql: str, null_ordering: str) -> exp.Expr:
    """The SQL as Spark would read it if its nulls were in this order by themselves, and if it had the types of the dialect of no engine."""
    dialect = Spark()
    dialect.SUPPORTS_USER_DEFINED_TYPES = True
    dialect.NULL_ORDERING = null_ordering
    (tree,) = dialect.parse(sql)
    assert tree is not None
    return tree


def complaints(sql: str) -> list[str]:
    """What is not portable in a query, a line each."""
    tokens = Spark().tokenize(sql)
    found = [f"{token.text} is no name in Spark: adapter.quote" for token in tokens if sql[token.start] == '"']
    found += [f"'{token.text}': Spark reads a backslash otherwise" for token in tokens if "\\" in sql[token.start : token.end]]
    found += [":: is no cast in Spark: cast(… as …)" for token in tokens if token.text == "::"]
    try:
        # Spark's nulls are small, PostgreSQL's are large: where the two readings differ, the query leaves it to the engine.
        small, large = read(sql, "nulls_are_small"), read(sql, "nulls_are_large")
    except SqlglotError as error:
        return [*found, f"Spark cannot read it: {error}"]
    orders = zip(small.find_all(exp.Ordered), large.find_all(exp.Ordered), strict=True)
    found += [f"{order.this.sql()}: no null order" for order, other in orders if order != other]
    return found + [complaint for node in small.walk() for complaint in complaints_of(node)]


def complaints_of(node: exp.Expr) -> Iterator[str]:
    """What is not portable in one part of a query."""
    match node:
        case exp.Anonymous():
            if not node.name.startswith("dialect_"):
                yield f"{node.name}: no function that engines agree upon"
        case exp.DataType():
            if not is_portable_type(node):
                yield f"{node.sql()}: no type that engines agree upon"
        case exp.Avg() if not (isinstance(node.this, exp.Cast) and node.this.to.sql() == "dialect_double"):
            yield f"{node.sql()}: a mean of numerics has other digits in each engine; mean_of_numerics, or cast to type_double()"
        case exp.Distinct() if node.args.get("on"):
            yield "distinct on"
        case _ if type(node) not in PORTABLE:
            yield f"{node.sql()}: {type(node).__name__} is nothing that engines agree upon"


def is_portable_type(node: exp.DataType) -> bool:
    if node.this == exp.DType.USERDEFINED:
        return str(node.args["kind"]).startswith("dialect_")
    # What a numeric without precision and scale is, each engine decides.
    return node.this in TYPES or (node.this == exp.DType.DECIMAL and len(node.expressions) == 2)


def compiled_models(work: Path, is_full: bool) -> dict[str, str]:
    """The SQL of each model as it is in a refresh, in the dialect of no engine, with names in backquotes."""
    project = work / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copy(NO_DIALECT, project / "macros" / "dialect.sql")
    refresh = project / "macros" / "refresh.sql"
    text, replaced = re.subn(
        r"\{% macro refresh_under_way\(\) %\}.*?\{% endmacro %\}", REFRESH, refresh.read_text(encoding="utf-8"), flags=re.S
    )
    assert replaced == 1
    refresh.write_text(text, encoding="utf-8")
    folders = [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(work / "target"),
        "--log-path",
        str(work),
    ]
    offline = ["--no-populate-cache", "--no-introspect", "--no-partial-parse", "--quiet"]
    chosen = ["--select", "resource_type:model", "--vars", json.dumps({"is_full": is_full})]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PostgresAdapter, "quote", lambda _, name: f"`{name}`")
        patched.setattr(PostgresRelation, "quoted", lambda _, name: f"`{name}`")
        result = dbtRunner().invoke(["compile", *folders, *offline, *chosen])
    assert result.success, result.exception
    nodes = json.loads((work / "target" / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    return {node["name"]: node["compiled_code"] for node in nodes if node["resource_type"] == "model"}


@pytest.mark.parametrize("is_full", [True, False], ids=["full", "incremental"])
def test_models_are_portable(tmp_path: Path, is_full: bool) -> None:
    models = compiled_models(tmp_path, is_full)
    assert len(models) == len(list(PROJECT.glob("models/**/*.sql")))
    assert {name: found for name, sql in models.items() if (found := complaints(sql))} == {}


def test_every_macro_of_the_dialect_stands_for_none_here() -> None:
    def macros(path: Path) -> set[str]:
        names = re.findall(r"\{% macro (\w+)\(", path.read_text(encoding="utf-8"))
        return {name for name in names if "__" not in name}

    assert macros(NO_DIALECT) == macros(PROJECT / "macros" / "dialect.sql")


def test_names_are_quoted_by_the_adapter() -> None:
    """A name in the double quotes of JSON is a text in Spark, and so in every row the column's own name."""
    files = {path: path.read_text(encoding="utf-8") for path in PROJECT.rglob("*.sql") if "target" not in path.parts}
    assert files
    assert [path.name for path, text in files.items() if json_names(text)] == []


def json_names(text: str) -> list[str]:
    return re.findall(r"map\(\s*['\"]tojson['\"]\s*\)|(?:name|column)\w*\s*\|\s*tojson", text)


@pytest.mark.parametrize(
    "text", ["columns | map('tojson') | join(', ')", "{{ column | tojson }}", "{{ name|tojson }}", "node.name | tojson"]
)
def test_a_name_quoted_as_json_is_seen(text: str) -> None:
    assert json_names(text)


@pytest.mark.parametrize(
    "sql",
    [
        "select cast(a as bigint), cast(b as numeric(38, 3)), cast(c as dialect_text) from t",
        "select row_number() over (partition by a order by b desc nulls first, c nulls last) from t",
        "select percentile_cont(0.5) within group (order by a nulls last) filter (where a > 0) from t",
        "select avg(cast(a as dialect_double)), dialect_aggregate('avg', a order by b nulls last) from t group by c",
        "select t.`Mixed Case` || ':' || u.a from t left join u on t.a = u.a where t.b in (select b from v)",
    ],
)
def test_portable_sql_is_let_through(sql: str) -> None:
    assert complaints(sql) == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select a::bigint from t", "::"),
        ("select cast(a as text) from t", "TEXT: no type"),
        ("select cast(a as varchar(3)) from t", "TEXT: no type"),
        ("select cast(a as timestamp) from t", "TIMESTAMP"),
        ("select cast(a as timestamp with time zone) from t", "TIMESTAMP"),
        ("select cast(a as double precision) from t", "DOUBLE: no type"),
        ("select cast(a as numeric) from t", "DECIMAL: no type"),
        ("select row_number() over (order by a) from t", "a: no null order"),
        ("select row_number() over (order by a nulls last, b desc) from t", "b: no null order"),
        ("select sum(a) over w from t window w as (order by a)", "a: no null order"),
        ("select dialect_aggregate('sum', a order by b nulls last, c) from t", "c: no null order"),
        ("select percentile_cont(0.5) within group (order by a) from t", "a: no null order"),
        ("select a from t order by a", "a: no null order"),
        ("select avg(a) from t", "a mean of numerics"),
        ("select avg(cast(a as numeric(38, 3))) from t", "a mean of numerics"),
        ('select "a" from t', "a is no name in Spark"),
        (r"select regexp_replace(a, '\d', '') from t", "backslash"),
        ("select distinct on (a) a, b from t", "distinct on"),
        ("select to_char(a, 'Day') from t", "ToChar"),
        ("select nobody_knows(a) from t", "nobody_knows: no function"),
        ("select array_agg(a) from t", "ArrayAgg"),
        ("select a ->> 'b' from t", "JSONExtractScalar"),
        ("select a ~ 'b' from t", "cannot read it"),
        ("select a at time zone 'UTC' from t", "AtTimeZone"),
        ("select a from t limit 1", "Limit"),
        ("select a from t offset 0", "Offset"),
        ("select b from t cross join lateral generate_series(1, 2) as s (b)", "GenerateSeries"),
    ],
)
def test_what_only_one_engine_says_is_seen(sql: str, words: str) -> None:
    assert [complaint for complaint in complaints(sql) if words in complaint]
