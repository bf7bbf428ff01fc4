"""What compiled SQL reads: relations, and columns of raw tables through whatever models; a foreign key that no SQL reads leads nowhere.

Belongs here: taking compiled SQL apart. Does not belong here: what follows for the ways to groups (`influence`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

Relation = tuple[str, str]


def relations_read(query: str) -> set[Relation]:
    """The relations of named schemas that a query reads, in the dialect of PostgreSQL; none if nobody understands it."""
    try:
        tree = sqlglot.parse_one(query, dialect="postgres")
    except SqlglotError:
        return set()
    return {(table.db, table.name) for table in tree.find_all(exp.Table) if table.db}


def looked_up(query: str) -> set[Relation]:
    """The relations of which a query reads only rows that have a value of a row outside, as a lateral join does.

    In doubt a relation is not among them.
    """
    try:
        scopes = traverse_scope(sqlglot.parse_one(query, dialect="postgres"))
    except SqlglotError:
        return set()
    found: dict[Relation, bool] = {}
    for scope in scopes:
        for alias, source in scope.selected_sources.items():
            table = source[1]
            if isinstance(table, exp.Table) and table.db:
                relation = table.db, table.name
                found[relation] = found.get(relation, True) and _is_looked_up(scope, alias)
    return {relation for relation, is_looked_up in found.items() if is_looked_up}


def _is_looked_up(scope: Scope, alias: str) -> bool:
    """Whether a column of a source has to equal one of a row outside."""
    where = scope.expression.args.get("where")
    conditions = [] if where is None else [*where.this.flatten()] if isinstance(where.this, exp.And) else [where.this]
    for equation in (condition for condition in conditions if isinstance(condition, exp.EQ)):
        tables = {side.table for side in (equation.this, equation.expression) if isinstance(side, exp.Column)}
        if alias in tables and any(table and table not in scope.selected_sources for table in tables):
            return True
    return False


class Usage:
    """What queries make use of through the queries behind them.

    Args:
        queries: By relation, the query that makes it, in the dialect of PostgreSQL.
        known: By relation that no query makes, its columns; what is neither counts as read by nobody.
    """

    def __init__(self, queries: Mapping[Relation, str], known: Mapping[Relation, Sequence[str]]) -> None:
        self._queries = queries
        self._known = known
        self._schema = MappingSchema(dialect="postgres")
        for (schema, name), columns in known.items():
            self._schema.add_table(exp.table_(name, schema), dict.fromkeys(columns, "text"))
        # To take a query apart costs more than all else that is asked of it.
        self._trees: dict[str, exp.Expr] = {}

    def columns_used(self, query: str) -> dict[Relation, frozenset[str]]:
        """By relation, the columns that a query makes use of; in doubt all of them."""
        try:
            tree = pushdown_projections(self._qualified(query))
        except SqlglotError:
            return {relation: frozenset(columns) for relation, columns in self._known.items()}
        finally:
            # Parts were taken out of the tree: nobody else may see it.
            self._trees.pop(query, None)
        used: dict[Relation, frozenset[str]] = {}
        for scope in traverse_scope(tree):
            for alias, source in scope.sources.items():
                if isinstance(source, exp.Table) and (source.db, source.name) in self._known:
                    found = frozenset(column.name for column in scope.columns if column.table == alias)
                    used[source.db, source.name] = used.get((source.db, source.name), frozenset()) | found
        return used

    def computed_of_all(self, query: str) -> list[str]:
        """What a query computes of all rows that it reads, not of those that belong together, as SQL.

        These are windows without `partition by`, aggregates without `group by`, and limits; not those of subqueries that a row outside
        restricts.
        """
        try:
            scopes = traverse_scope(self._qualified(query))
        except SqlglotError:
            return []
        return [part.sql() for scope in scopes if _reads_all(scope) for part in _computed_of_all(scope)]

    def _qualified(self, query: str) -> exp.Expr:
        """A query with those behind it in their places, each column with the relation that it is of."""
        if query not in self._trees:
            tree = _expanded(sqlglot.parse_one(query, dialect="postgres"), self._queries)
            self._trees[query] = qualify(tree, schema=self._schema, dialect="postgres", validate_qualify_columns=False)
        return self._trees[query]


def _reads_all(scope: Scope) -> bool:
    """Whether a query reads relations, and no row of an outer query restricts it."""
    is_restricted = any(column.table and column.table not in scope.selected_sources for column in scope.columns)
    return not is_restricted and any(table.db for table in scope.expression.find_all(exp.Table))


def _computed_of_all(scope: Scope) -> Iterator[exp.Expr]:
    query = scope.expression
    # Where a window is called by its name, its specification stands at the end of the query.
    yield from (each for each in scope.find_all(exp.Window) if not each.args.get("partition_by") and not each.args.get("alias"))
    if not query.args.get("group"):
        yield from (each for each in scope.find_all(exp.AggFunc) if not isinstance(each.find_ancestor(exp.Window, exp.Select), exp.Window))
    if query.args.get("limit"):
        yield query.args["limit"]


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
