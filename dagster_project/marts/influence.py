"""How a changed row of a raw table leads to the groups of a mart, derived from the foreign keys that a contract declares.

Belongs here: which foreign keys are followed, and in which order. Does not belong here: which tables stand behind a mart (`lineage`), and
the SQL that follows the keys (`postgres.touching`, `postgres.narrowing`).

A group is a row of one raw table. A row *belongs* to a group if foreign keys lead up from it to the group's row, over rows of other tables
or at once. A row that belongs to no group may be *seen* by rows that do: they, or rows above them, refer to it. What is left hangs beside:
it shares a row above with rows that belong to a group, such as the tags of a run where groups are the run's models.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import ForeignKey
from dagster_project.errors import RunmartError


class NoWayToGroup(RunmartError):
    """A table behind a mart cannot be connected with its groups; the message says what to declare."""


@dataclass(frozen=True)
class Hop:
    """One foreign key: rows of `child` refer to rows of `parent`."""

    child: str
    key: ForeignKey

    @property
    def parent(self) -> str:
        """The table that is referred to."""
        return self.key.parent

    def __str__(self) -> str:
        return f"{self.child}({', '.join(self.key.columns)}) -> {self.parent}"


@dataclass(frozen=True)
class Influence:
    """Which foreign keys lead from changed rows to the groups.

    Attributes:
        group: The table whose rows are the groups.
        upward: From rows that belong to a group to those above them; all hops into a table stand before those out of it.
        downward: From rows that are seen to the rows that see them; all hops to a table stand before those from it.
        sideways: From rows beside to the rows above that they share; all hops into a table stand before those out of it.
        within: From rows to rows of the same table, which see each other.
    """

    group: str
    upward: tuple[Hop, ...]
    downward: tuple[Hop, ...]
    sideways: tuple[Hop, ...]
    within: tuple[Hop, ...]

    @property
    def hops(self) -> tuple[Hop, ...]:
        """All of them."""
        return (*self.sideways, *self.downward, *self.within, *self.upward)

    @property
    def owned(self) -> frozenset[str]:
        """Tables whose rows belong to groups, that of the groups included."""
        return frozenset({self.group, *(hop.child for hop in self.upward)})

    @property
    def outward(self) -> dict[str, set[str]]:
        """By table, those from whose rows its own lead on, seen from the group; these stand before it, and the group stands first."""
        above = [(hop.child, hop.parent) for hop in (*self.upward, *self.sideways)]
        led_from: dict[str, set[str]] = {self.group: set()}
        for table, nearer in (*above, *((hop.parent, hop.child) for hop in self.downward)):
            led_from.setdefault(table, set()).add(nearer)
        return {table: led_from.get(table, set()) for table in TopologicalSorter(led_from).static_order()}

    def without(self, hop: Hop) -> "Influence":
        """The same with one hop less, which is wrong: for tests that must notice it."""
        left = [tuple(each for each in hops if each != hop) for hops in (self.upward, self.downward, self.sideways, self.within)]
        return Influence(self.group, *left)


def influence(
    contract: SystemContract,
    group: str,
    behind: Collection[str],
    *,
    is_read: Callable[[Hop], bool] = lambda _: True,
    is_compared: Callable[[str], bool] = lambda _: True,
) -> Influence:
    """Derive the ways from tables to groups.

    Args:
        contract: Of the system.
        group: The table whose rows are the groups.
        behind: The tables behind the mart.
        is_read: Whether SQL behind the mart makes use of a foreign key. One of which it does not is not followed.
        is_compared: Whether SQL behind the mart compares a column of that name with another one. A key that leads back, to the same table
            or out of the group's, is followed only then: most such keys are shown and not followed.

    Raises:
        NoWayToGroup: A table is not connected, or tables refer to each other in a circle.
    """
    tables = {group, *behind}
    declared = [Hop(child, key) for child in contract.tables if child in tables for key in contract.tables[child].references]
    keys = [key for key in declared if is_read(key)]
    places = _places(group, tables, keys)
    if places.lost:
        # Rows may share a row that the mart does not read: prices and order lines of one product.
        shared = {hop.parent for hop in keys for other in keys if hop.parent == other.parent and hop.child != other.child}
        # Of rows that are shared, those that lead to no group help nobody.
        shared -= _places(group, tables | shared, keys).lost
        places = _places(group, tables | shared, keys)
    if places.lost:
        raise NoWayToGroup(_complaint(contract.system, group, min(places.lost), [key for key in declared if key not in keys]))
    place = {table: number for number, table in enumerate(_in_order(contract.system, places.forth))}
    children_first = sorted(places.forth, key=lambda hop: place[hop.child])
    parents_first = sorted(places.forth, key=lambda hop: -place[hop.parent])
    return Influence(
        group,
        upward=tuple(hop for hop in children_first if {hop.child, hop.parent} <= places.belonging),
        downward=(
            *(hop for hop in parents_first if hop.parent in places.seen and hop.child not in places.beside),
            *(hop for hop in places.back if _is_followed(hop, is_compared)),
        ),
        sideways=tuple(hop for hop in children_first if hop.child in places.beside),
        within=tuple(hop for hop in keys if hop.child == hop.parent and _is_followed(hop, is_compared)),
    )


@dataclass(frozen=True)
class _Places:
    """Where tables stand to the groups, and the foreign keys between them: those that lead forth, and those that lead back."""

    belonging: frozenset[str]
    seen: frozenset[str]
    beside: frozenset[str]
    lost: frozenset[str]
    forth: tuple[Hop, ...]
    back: tuple[Hop, ...]


def _places(group: str, tables: Collection[str], keys: Iterable[Hop]) -> _Places:
    hops = [hop for hop in keys if hop.parent in tables and hop.child != hop.parent]
    distance = _distances(group, hops)
    back = tuple(hop for hop in hops if _leads_back(hop, distance, hops))
    forth = tuple(hop for hop in hops if hop not in back)
    belonging = frozenset(distance)
    seen = _reached(belonging, {(hop.child, hop.parent) for hop in forth}) - belonging
    beside = _reached(seen, {(hop.parent, hop.child) for hop in forth}) - seen - belonging
    return _Places(belonging, seen, beside, frozenset(tables) - belonging - seen - beside, forth, back)


def _complaint(system: str, group: str, table: str, unread: Iterable[Hop]) -> str:
    unused = "".join(f"; {hop} is declared, but the SQL makes no use of it" for hop in unread if hop.child == table)
    return (
        f"no foreign key leads from {system}.{table} to {system}.{group}, of itself or over other tables that the SQL reads{unused}; "
        f"declare the key by which the SQL joins {table} in the contract of {system} (`foreign_keys`), or say `group: whole` if the mart "
        "is small enough to be recomputed whole each time"
    )


def _distances(group: str, hops: Iterable[Hop]) -> dict[str, int]:
    """How many hops lead up from each table to the group, at least; tables from which none do are left out."""
    distance = {group: 0}
    for number in range(1, len({hop.child for hop in hops}) + 1):
        nearer = {table for table, far in distance.items() if far == number - 1}
        distance |= {hop.child: number for hop in hops if hop.parent in nearer and hop.child not in distance}
    return distance


def _leads_back(hop: Hop, distance: dict[str, int], hops: Iterable[Hop]) -> bool:
    """Whether the rows that it refers to belong to groups over rows of its own table, as the best of the models of a run does."""
    if hop.child not in distance or distance.get(hop.parent, 0) <= distance[hop.child]:
        return False
    upward = {(each.child, each.parent) for each in hops if each.child in distance and each.parent in distance}
    return hop.child in _reached({hop.parent}, upward)


def _is_followed(hop: Hop, is_compared: Callable[[str], bool]) -> bool:
    return any(is_compared(column) for column in hop.key.columns)


def _reached(tables: Iterable[str], steps: Collection[tuple[str, str]]) -> frozenset[str]:
    """The tables, and those that steps lead to from them."""
    reached: frozenset[str] = frozenset()
    arrived = {*tables}
    while arrived:
        reached |= arrived
        arrived = {end for begin, end in steps if begin in arrived} - reached
    return reached


def _in_order(system: str, hops: Iterable[Hop]) -> list[str]:
    """Tables, those that refer to others before these."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for hop in hops:
        sorter.add(hop.parent, hop.child)
    try:
        return [*sorter.static_order()]
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise NoWayToGroup(
            f"tables of {system} refer to each other in a circle, so that nothing says which of them a row belongs to: {circle}; take one "
            "of these foreign keys out of the contract"
        ) from error
