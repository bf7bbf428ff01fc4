"""Which columns of raw tables a model makes use of, through whatever models: a foreign key that no SQL reads leads nowhere.

Belongs here: taking compiled SQL apart. Does not belong here: what follows for the ways to groups (`influence`).
"""

from collections.abc import Mapping, Sequence
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

Relation = tuple[str, str]


def columns_used(model: str, queries: Mapping[Relation, str], raw: Mapping[Relation, Sequence[str]]) -> dict[Relation, frozenset[str]]:
    """By raw table, the columns that a query makes use of; in doubt all of them.

    Args:
        model: The query, in the dialect of PostgreSQL.
        queries: By relation, the query that makes it; what is none of these and no raw table counts as read by nobody.
        raw: By raw table, its columns.
    """
    try:
        tree = _expanded(sqlglot.parse_one(model, dialect="postgres"), queries)
        schema: dict[str, object] = {
            place: {name: dict.fromkeys(columns, "text") for (of, name), columns in raw.items() if of == place} for place, _ in raw
        }
        tree = pushdown_projections(qualify(tree, schema=schema, dialect="postgres", validate_qualify_columns=False))
    except SqlglotError:
        return {relation: frozenset(columns) for relation, columns in raw.items()}
    used: dict[Relation, frozenset[str]] = {}
    for scope in traverse_scope(tree):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table) and (source.db, source.name) in raw:
                found = frozenset(column.name for column in scope.columns if column.table == alias)
                used[source.db, source.name] = used.get((source.db, source.name), frozenset()) | found
    return used


def _expanded(tree: exp.Expr, queries: Mapping[Relation, str]) -> exp.Expr:
    """A query with the queries of the relations that it reads in their places."""
    for table in list(tree.find_all(exp.Table)):
        relation = table.db, table.name
        table.set("catalog", None)
        if relation in queries:
            inner = _expanded(sqlglot.parse_one(queries[relation], dialect="postgres"), queries)
            alias = exp.TableAlias(this=exp.to_identifier(table.alias or table.name))
            table.replace(exp.Subquery(this=cast("exp.Query", inner), alias=alias))
    return tree
