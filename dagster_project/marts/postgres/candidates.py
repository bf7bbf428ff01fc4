"""Candidates: marts as they will be, before anyone sees them.

Belongs here: the names of what a candidate is made of, and its SQL. Does not belong here: what fills it (dbt), and how it is published.

A mart is configured in the schema where analysts read it. Until it is published, its refresh lives in another: the rows of the groups that
were recomputed in `<mart>__changes`, and the mart as it will be in a view of the mart's own name. Whatever refers to the mart in the dbt
project, tests included, means that view.
"""

from collections.abc import Iterable

from dagster_project.marts.plan import Plan
from dagster_project.marts.postgres.names import columns, quoted, relation, row
from dagster_project.postgres.schemas import CANDIDATES

# These name the refresh that last changed a row; a row is not another one because of them.
OF_THE_REFRESH = ("refreshed_at", "source_batch_id")


def changes_of(mart: str) -> str:
    """The table with the recomputed rows of a mart, in the schema of candidates."""
    return f"{mart}__changes"


def image_of(names: Iterable[str], of: str = "") -> str:
    """A row as a text that tells all rows apart which differ, down to the last bit; what names the refresh does not count."""
    return f"row{row((name for name in names if name not in OF_THE_REFRESH), of)}::text"


def recomputed_query(plan: Plan, mart: str) -> str:
    """The recomputed rows of a mart: all of it after a full refresh."""
    return f"select {columns(plan.project.models[mart].columns)}\nfrom {relation(CANDIDATES, changes_of(mart))}"


def candidate_query(plan: Plan, mart: str) -> str:
    """The mart as it will be: the recomputed rows, and the published ones of all groups that are left alone."""
    recomputed = recomputed_query(plan, mart)
    if plan.project.models[mart].is_whole:
        return recomputed
    published = f"select {columns(plan.project.models[mart].columns)}\nfrom {relation(*plan.published(mart))} as published"
    return f"{recomputed}\nunion all\n{published}\nwhere not {is_in_touched_group(plan, mart, 'published')}"


def is_in_touched_group(plan: Plan, mart: str, of: str) -> str:
    """Whether a row of a mart belongs to a touched group."""
    return f"exists (select from {relation(CANDIDATES, plan.touched_of(mart))} as touched where {is_group_of(plan, mart, of)})"


def is_group_of(plan: Plan, mart: str, of: str) -> str:
    """Whether a touched group is that of a row."""
    return " and ".join(f"touched.{quoted(column)} = {of}.{quoted(column)}" for column in plan.group_columns(mart))


def making_touched(name: str, query: str, group: Iterable[str], *, is_unique: bool = False) -> str:
    """Statements that make a table of touched groups, shaped as a query and empty.

    Without its index, whoever asks for each row whether it is touched reads all of them.
    """
    touched = relation(CANDIDATES, name)
    return (
        f"drop table if exists {touched} cascade;\ncreate table {touched} as\n{query}\nlimit 0;\n"
        f"create {'unique ' if is_unique else ''}index on {touched} ({columns(group)})"
    )


def groups_query(plan: Plan, mart: str, place: str = CANDIDATES) -> str:
    """Touched groups by the columns of a mart, each once, made of their keys in a schema; with the last batch that touched them."""
    if followers := plan.following(mart):
        return f"select {columns(followers.group.columns)}, batch_id\nfrom {relation(place, followers.touched)}"
    keys = "\nunion all\n".join(
        f"select {', '.join(f'{made} as {quoted(name)}' for name, made in plan.columns_of(family).items())}, batch_id\n"
        f"from {relation(place, family.touched)}"
        for family in plan.families_of(mart)
    )
    # A part of the key may name a group: where a row goes and another of this part comes, both have touched it.
    group = columns(plan.group_columns(mart))
    return f"select {group}, max(batch_id) as batch_id\nfrom (\n{keys}\n) as touched\ngroup by {group}"
