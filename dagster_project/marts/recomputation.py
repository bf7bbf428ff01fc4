"""Computing a row of a mart again from given rows of raw tables and nothing else.

Belongs here: the SQL by which a full refresh makes a mart, and temporary stand-ins of the relations in it. Does not belong here: which rows
are given (`explanation`).

The SQL is that of the full refresh that last built the relation (`ops.built_models`). Each relation in it is replaced by its stand-in:
a raw table by the given rows, or by an empty table if none are given; a model by what its own SQL makes of these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.table import raw_schema
from dagster_project.errors import RunmartError
from dagster_project.marts.postgres.names import PRINTED, stand_in
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.schemas import CANDIDATES

Relation = tuple[str, str]

_RAW = raw_schema("")
_STARTED_AT = "{refresh_started_at}"

# The columns after the first two stand in the order of `_Definition`.
_KEPT = "select schema_name, name, sql, definition, kind in ('mart', 'step') from ops.built_models"

# The columns stand in the order of `Publication`.
_PUBLICATION = """
select refresh_id, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), batches, definition
from ops.refreshes
where marts ?| %s
order by refresh_id desc
limit 1
"""

_COLUMNS = """
select attname from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
order by attnum
"""


class ExplanationError(RunmartError):
    """A row cannot be explained; the message names the mart, what was asked for, and the way out."""


@dataclass(frozen=True)
class Publication:
    """The refresh that published a mart last.

    Attributes:
        refresh_id: Its number.
        started_at: When it started (UTC), as it stands in the SQL of that refresh.
        batches: The last batch of each system that it reflects.
        definition: Digest of the project that it built.
    """

    refresh_id: int
    started_at: str
    batches: Mapping[str, int]
    definition: str


@dataclass(frozen=True)
class _Definition:
    """How a relation is made: its SQL, the digest of its project, and whether it is a table."""

    sql: str
    project: str
    is_table: bool


@dataclass
class Recomputation:
    """A mart computed again, within one transaction that holds the stand-ins.

    Attributes:
        cursor: Of that transaction.
        mart: Name of the mart.
        published: Where a mart is published, by name.
        publication: The refresh that published it last.
    """

    cursor: Cursor
    mart: str
    published: Callable[[str], Relation]
    publication: Publication = field(init=False)
    _definitions: dict[Relation, _Definition] = field(init=False)
    _made: list[Relation] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read how relations are made, and what of the mart is published.

        Raises:
            ExplanationError: Nothing is known of the mart.
        """
        self._definitions = _kept_definitions(self.cursor)
        self.publication = self._last_publication()

    @property
    def target(self) -> Relation:
        """The candidate of the mart, which is what the project means by its name."""
        return CANDIDATES, self.mart

    @property
    def models_read(self) -> tuple[str, ...]:
        """The models that were computed before the mart, in that order."""
        return tuple(name for schema, name in self._made if (schema, name) in self._definitions and (schema, name) != self.target)

    def sql_of(self, relation: Relation) -> str:
        """The SQL that makes a relation from everything, as of the refresh that published the mart.

        Raises:
            ExplanationError: None is kept, or that of another state of the project.
        """
        definition = self._definition(relation)
        if definition.project != self.publication.definition:
            raise ExplanationError(
                f"the project has changed since analytics.{self.mart} was published by refresh {self.publication.refresh_id}, and "
                "the SQL of that refresh is not kept; run `runmart refresh`"
            )
        return definition.sql.replace(_STARTED_AT, self.publication.started_at)

    def row(self, columns: Sequence[str], grain: Sequence[str], shown: sql.Identifier) -> dict[str, str | None] | None:
        """The row of the mart as text by column; None if the given rows make no such row.

        Args:
            columns: Which columns.
            grain: The columns that identify the row.
            shown: A relation with the row as it is published.

        Raises:
            ExplanationError: See `sql_of`.
        """
        self._make(self.target)
        is_same = sql.SQL(" and ").join(
            sql.SQL("computed.{0} is not distinct from shown.{0}").format(sql.Identifier(name)) for name in grain
        )
        self.cursor.execute(
            sql.SQL("select {} from {} as computed inner join {} as shown on {}").format(
                as_text(columns, "computed"), stand_in_of(self.target), shown, is_same
            )
        )
        row = self.cursor.fetchone()
        return dict(zip(columns, row, strict=True)) if row else None

    def _definition(self, relation: Relation) -> _Definition:
        definition = self._definitions.get(relation)
        if definition is None:
            raise ExplanationError(f"no SQL is kept of {'.'.join(relation)}; run `runmart refresh --full`")
        return definition

    def _last_publication(self) -> Publication:
        """That of the mart; a view on marts is published with these."""
        definition = self._definition(self.target)
        marts = [self.target] if definition.is_table else _relations(definition.sql)
        self.cursor.execute(_PUBLICATION, ([name for _, name in marts],))
        row = self.cursor.fetchone()
        if row is None:
            raise ExplanationError(f"analytics.{self.mart} has not been published; run `runmart refresh`")
        return Publication(*row)

    def _make(self, relation: Relation) -> None:
        """Make the stand-in of a relation, after those of what it reads."""
        if relation in self._made:
            return
        if relation in self._definitions:
            text = self.sql_of(relation)
            for read in _relations(text):
                self._make(read)
            self._fill(relation, sql.SQL(PRINTED.sub(lambda name: stand_in_of((name[1], name[2])).as_string(self.cursor), text)))
        elif not relation[0].startswith(_RAW):
            # Runmart's own records are no rows of a source: they are read as they stand.
            query = sql.SQL("create temporary view {} as select * from {}")
            self.cursor.execute(query.format(stand_in_of(relation), sql.Identifier(*relation)))
        elif not self._is_given(relation):
            copy_shape(self.cursor, relation, stand_in_of(relation))
        self._made.append(relation)

    def _fill(self, relation: Relation, query: sql.SQL) -> None:
        """Make a stand-in of what the relation is; a mart with the types that it is published with, through which its values have gone."""
        stand_in = stand_in_of(relation)
        if not self._definitions[relation].is_table:
            self.cursor.execute(sql.SQL("create temporary view {} as {}").format(stand_in, query))
            return
        schema, name = relation
        if schema == self.target[0]:
            published = self.published(name)
            columns = sql.SQL(", ").join(map(sql.Identifier, columns_of(self.cursor, published)))
            copy_shape(self.cursor, published, stand_in)
            self.cursor.execute(sql.SQL("insert into {0} ({1}) select {1} from ({2}) as definition").format(stand_in, columns, query))
        else:
            self.cursor.execute(sql.SQL("create temporary table {} on commit drop as {}").format(stand_in, query))
        self.cursor.execute(sql.SQL("analyze {}").format(stand_in))

    def _is_given(self, relation: Relation) -> bool:
        self.cursor.execute("select to_regclass(%s) is not null", (stand_in_of(relation).as_string(self.cursor),))
        return bool(one_row(self.cursor)[0])


def _kept_definitions(cursor: Cursor) -> dict[Relation, _Definition]:
    """How relations are made; a mart stands under the name of its candidate."""
    cursor.execute(_KEPT)
    return {(schema, name): _Definition(*definition) for schema, name, *definition in cursor.fetchall()}


def _relations(text: str) -> list[Relation]:
    """The relations that compiled SQL reads."""
    return list(dict.fromkeys((name[1], name[2]) for name in PRINTED.finditer(text)))


def stand_in_of(relation: Relation) -> sql.Identifier:
    """The temporary relation that stands for one."""
    return sql.Identifier(*stand_in(*relation))


def copy_shape(cursor: Cursor, relation: Relation, stand_in: sql.Identifier) -> None:
    """Make an empty temporary table with the columns of a relation."""
    cursor.execute(sql.SQL("create temporary table {} (like {}) on commit drop").format(stand_in, sql.Identifier(*relation)))


def columns_of(cursor: Cursor, relation: Relation) -> list[str]:
    """Columns of a relation in order; none if there is no such relation."""
    cursor.execute(_COLUMNS, (sql.Identifier(*relation).as_string(cursor),))
    return [row[0] for row in cursor.fetchall()]


def as_text(columns: Sequence[str], relation: str) -> sql.Composed:
    """Columns as PostgreSQL prints them, which tells all values apart, down to the last bit."""
    return sql.SQL(", ").join(sql.SQL("cast({} as text)").format(sql.Identifier(relation, name)) for name in columns)
