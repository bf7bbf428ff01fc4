"""Histories: what the rows of a mart said, and when. A mart's history is a mart of its own, which publishing keeps.

Belongs here: statements on versions. Does not belong here: when they are executed (`publishing`). Where a row of the mart is deleted its
version ends, where one is inserted a version begins; growth is that of the change.
"""

from dagster_project.marts.lineage import Model
from dagster_project.marts.postgres.names import columns, quoted, relation, shortened

VALID_FROM, VALID_TO = "valid_from", "valid_to"


def begin_versions(history: Model, rows: str) -> str:
    """A statement that begins a version for each of the rows; takes `published_at`."""
    kept = columns(name for name in history.columns if name not in (VALID_FROM, VALID_TO))
    return f"insert into {_published(history)} ({kept}, {VALID_FROM})\nselect {kept}, %(published_at)s from {rows}"


def end_versions(history: Model, deleted: str, inserted: str) -> str:
    """A statement that ends the open versions of rows that were deleted or take their place; takes `published_at`.

    Where a published row was lost, its version ends when the row is back.
    """
    identity = _identity(history)
    is_same = " and ".join(f"versions.{quoted(name)} = written.{quoted(name)}" for name in identity)
    written = f"select {columns(identity)} from {deleted} union select {columns(identity)} from {inserted}"
    return (
        f"update {_published(history)} as versions\nset {VALID_TO} = %(published_at)s\nfrom ({written}) as written\n"
        f"where versions.{VALID_TO} is null and {is_same}"
    )


def index_versions(history: Model) -> str:
    """Statements that make indexes: by which the versions of a row are found, however many others there are, and those of a time."""
    indexes = {"versions": columns(_identity(history)), "began": VALID_FROM, "ended": VALID_TO}
    return "; ".join(
        f"create index if not exists {quoted(shortened(f'{history.name}_{name}'))} on {_published(history)} ({indexed})"
        for name, indexed in indexes.items()
    )


def forget_versions(history: Model) -> str:
    """A statement that deletes versions which ended so many `days` before `published_at`."""
    return f"delete from {_published(history)} where {VALID_TO} < %(published_at)s - make_interval(days => %(days)s)"


def _identity(history: Model) -> list[str]:
    """The columns that a row has in common with all its versions."""
    return [name for name in history.grain if name != VALID_FROM]


def _published(history: Model) -> str:
    return relation(history.schema, history.name)
