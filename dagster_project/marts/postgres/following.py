"""Which groups of followers a mart's rows have touched, once its rows have been recomputed and before they are published.

Belongs here: one statement per mart that is followed. Does not belong here: who follows whom (`marts.plan`), and touched groups of raw
tables (`touching`).

A row that is recomputed as it is published touches nothing, so that a change ends where nothing follows from it.
"""

from collections.abc import Sequence

from dagster_project.marts.lineage import MART
from dagster_project.marts.plan import Followers, Plan
from dagster_project.marts.postgres.candidates import changes_of, image_of, is_in_touched_group, making_touched
from dagster_project.marts.postgres.names import columns, quoted, relation, row
from dagster_project.postgres.schemas import CANDIDATES


def noting_touched(plan: Plan, followers: Followers, mart: str) -> str:
    """A statement that adds the groups which the recomputed rows of a mart touch to those of its followers."""
    group, known = followers.group.columns, followers.followed[mart]
    touched = relation(CANDIDATES, followers.touched)
    return (
        f"insert into {touched} ({columns(group)})\n{_changed(plan, mart, known) if known == group else _spread(plan, followers, mart)}\n"
        f"on conflict do nothing; analyze {touched}"
    )


def making_followed(plan: Plan, followers: Followers) -> str:
    """Statements that make the table of touched groups, empty."""
    group = followers.group.columns
    query = f"select {columns(group)}, null::bigint as batch_id from {relation(*plan.published(followers.group.mart))}"
    return making_touched(followers.touched, query, group, is_unique=True)


def _changed(plan: Plan, mart: str, known: Sequence[str]) -> str:
    """Columns of rows that differ from published ones, or of published ones that no longer are."""
    rows = f"select {columns(known)}, {image_of(plan.project.models[mart].columns)} as _image"
    published = f"{rows}\nfrom {relation(*plan.published(mart))} as published"
    if not plan.project.models[mart].is_whole:
        published += f"\nwhere {is_in_touched_group(plan, mart, 'published')}"
    differing = [
        f"select {columns(known)}\nfrom {one}\nwhere not exists (select from {other} where {other}._image = {one}._image)"
        for one, other in (("recomputed", "published"), ("published", "recomputed"))
    ]
    is_known = " and ".join(f"{quoted(column)} is not null" for column in known)
    return (
        f"select {columns(known)}\nfrom (\nwith recomputed as materialized (\n{rows}\nfrom {relation(CANDIDATES, changes_of(mart))}\n),\n"
        f"published as materialized (\n{published}\n)\n"
        f"{differing[0]}\nunion\n{differing[1]}\n) as changed\nwhere {is_known}"
    )


def _spread(plan: Plan, followers: Followers, mart: str) -> str:
    """All groups that are published and say the same as changed rows of a mart that has a part of the group's columns only.

    A group that is not published yet is touched by the rows of the mart that it is made of.
    """
    group, known = followers.group.columns, followers.followed[mart]
    marts = [name for name in followers.models if plan.project.models[name].kind == MART]
    published = "\nunion\n".join(f"select {columns(group)} from {relation(*plan.published(name))}" for name in marts)
    return f"select {columns(group)}\nfrom (\n{published}\n) as known\nwhere {row(known)} in (\n{_changed(plan, mart, known)}\n)"
