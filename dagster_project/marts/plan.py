"""How the marts of a project are refreshed: which of them share their groups, and where what an engine makes for them lives.

Belongs here: what follows from the project and the contracts alone. Does not belong here: what a single refresh has to do, and SQL
(`postgres`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.bearing import bearings_of
from dagster_project.marts.influence import Hop, Influence, NoWayToGroup, influence
from dagster_project.marts.lineage import MART, Group, MartDeclarationError, Model, Project, Rows, Table
from dagster_project.postgres.schemas import CANDIDATES

# A model that is materialized so is a table of one refresh, which several marts read.
STEP = "step"
HISTORY, VIEW = "mart_history", "mart_view"


@dataclass(frozen=True)
class Family:
    """Marts whose groups are rows of one raw table and are touched together, and the steps that they read.

    Attributes:
        name: The first of its marts, and the system of the groups if that mart has groups of several; their table, too, if it has several
            of that system.
        group: What the groups are.
        influence: How changed rows lead to them.
        rules: Models that name further rows to be treated as changed.
        models: The marts and the steps.
    """

    name: str
    group: Group
    influence: Influence
    rules: tuple[Model, ...]
    models: tuple[str, ...]

    @property
    def touched(self) -> str:
        """The table of the keys of its touched groups, in the schema of candidates."""
        return f"{self.name}__keys"


@dataclass(frozen=True)
class Followers:
    """Marts whose groups are made of rows of other marts, and the steps that they read: touched where such rows have changed.

    Attributes:
        name: The first of its marts.
        group: What the groups are.
        followed: The marts that they read, each with those of the group's columns that it has.
        models: The marts and the steps.
    """

    name: str
    group: Rows
    followed: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]

    @property
    def touched(self) -> str:
        """The table of the keys of its touched groups, in the schema of candidates."""
        return f"{self.name}__keys"


@dataclass(frozen=True)
class Plan:
    """How marts are refreshed.

    Attributes:
        project: The models.
        contracts: By system.
        families: In no order that matters; a mart that unites others is in several.
        followers: What is read stands before what reads it.
        shown: By view that says what its groups are, the family that it would be if it were a mart of its own.
    """

    project: Project
    contracts: Mapping[str, SystemContract]
    families: tuple[Family, ...]
    followers: tuple[Followers, ...] = ()
    shown: Mapping[str, Family] = field(default_factory=dict)

    @property
    def recomputed_together(self) -> list[Family | Followers]:
        """Families and followers."""
        return [*self.families, *self.followers]

    @property
    def marts(self) -> list[Model]:
        """Tables that are published, by name."""
        return self.project.of_kind(MART)

    @property
    def whole(self) -> list[Model]:
        """Marts that are recomputed whole each time."""
        return [mart for mart in self.marts if mart.is_whole]

    def families_of(self, model: str) -> list[Family]:
        """The families that a mart or a step is in."""
        return [family for family in self.families if model in family.models]

    def families_behind(self, name: str) -> list[Family]:
        """The families of a mart, or of the marts that a view shows; none if its columns do not name the groups of all of them."""
        if name in self.shown:
            return [self.shown[name]]
        return [family for mart in self.touched_with(name) for family in self.families_of(mart)]

    def touched_with(self, name: str) -> list[str]:
        """The marts whose touched groups tell which rows of a mart, a view or a history differ; none if its rows do not name these."""
        model = self.project.models[name]
        marts, past = (frozenset({name}), frozenset()) if model.kind == MART else self.project.read_past_marts(name)
        are_named = all(group and {*group} <= {*model.columns} for group in map(self.group_columns, marts))
        return sorted(marts) if are_named and not past else []

    def following(self, model: str) -> Followers | None:
        """The followers that a mart or a step is among."""
        return next((followers for followers in self.followers if model in followers.models), None)

    def group_columns(self, mart: str) -> tuple[str, ...]:
        """The columns of a mart that name its groups; none if it is recomputed whole."""
        if followers := self.following(mart):
            return followers.group.columns
        return next((tuple(self.columns_of(family)) for family in self.families_of(mart)), ())

    def touched_of(self, mart: str) -> str:
        """The table of touched groups by the columns of a mart, in the schema of candidates."""
        if followers := self.following(mart):
            return followers.touched
        families = self.families_of(mart)
        return families[0].touched if len(families) == 1 and not families[0].group.columns else f"{mart}__groups"

    def published_with(self, names: Collection[str]) -> list[Model]:
        """Marts, their histories and views that are published together with these: what follows a mart must not fall behind it."""
        wanted = {*names}
        for model in self.project.of_kind(VIEW):
            wanted |= self.project.read_past_marts(model.name)[0] if model.name in wanted else set()
        for _ in self.followers:
            for followers in self.followers:
                together = {*followers.followed, *followers.models}
                wanted |= together if together & wanted else set()
        return [model for model in self.project.of_kind(MART, HISTORY, VIEW) if model.name in wanted]

    def held_with(self, failing: Collection[str]) -> dict[str, frozenset[str]]:
        """The marts, histories and views that cannot be published while models fail, each with those of the models.

        They read them, or are published together with what does.
        """
        known = [model.name for model in self.project.of_kind(MART, HISTORY, VIEW)]
        needed = {name: {each.name for each in (*self.project.read_by(name), *self.published_with([name]))} | {name} for name in known}
        held = {name: frozenset({name}) for name in failing}
        while True:
            found = {name: frozenset[str]().union(*(held[other] for other in needed[name] if other in held)) for name in known}
            grown = {**held, **{name: models for name, models in found.items() if models}}
            if grown == held:
                return {name: held[name] for name in known if name in held}
            held = grown

    def published(self, mart: str) -> tuple[str, str]:
        """Schema and name of a mart as it is published."""
        return self.project.models[mart].schema, mart

    def relation_of(self, model: str) -> tuple[str, str]:
        """Schema and name of what the project means by a model: of a mart its candidate."""
        found = self.project.models[model]
        return CANDIDATES if found.kind in (MART, HISTORY, VIEW) else found.schema, model

    def untold_records(self, model: str) -> frozenset[Table]:
        """Runmart's own records behind a model, which change without a batch, and of whose changes no rule tells."""
        told = frozenset[Table]().union(*(self.project.behind(rule) for rule in self.project.models[model].touched_by))
        return frozenset(table for table in self.project.behind(model) - told if table[0] not in self.contracts)

    def relations_behind(self, model: str) -> set[tuple[str, str]]:
        """Schemas and names of what a model says that it reads; a source that is no system's is called by its schema."""
        read = self.project.models[model]
        raw = {(self.contracts[system].raw_schema if system in self.contracts else system, table) for system, table in read.tables}
        return raw.union(map(self.relation_of, read.models))

    def referring_columns(self, mart: str, family: Family | Followers) -> Mapping[str, str]:
        """The columns of a mart that name a group, each with that of the group's key: its own, or one that a test holds against another's.

        Of what followers read it may name a part of a group only.
        """
        if isinstance(family, Followers):
            return {column: column for column in family.followed.get(mart, ())}
        group = [*self.columns_of(family)]
        if len(group) != 1 or family.group.columns:
            return {}
        if mart in family.models:
            return {group[0]: group[0]}
        same = {name for other in self.families if other.group == family.group for name in other.models}
        references = self.project.models[mart].references.items()
        referring = [column for column, (parent, field) in references if parent in same and field == group[0]]
        return dict.fromkeys(referring[:1], group[0])

    def columns_of(self, family: Family) -> Mapping[str, str]:
        """The columns that name a group in marts, each with the SQL that makes it of the group's key."""
        key = self.contracts[family.group.system].tables[family.group.table].key
        return family.group.columns or {column: f'"{column}"' for column in key}


# By model, the columns of raw tables that its SQL makes use of.
Reads = Mapping[str, Mapping[Table, Collection[str]]]


def make_plan(project: Project, contracts: Mapping[str, SystemContract], reads: Reads | None = None) -> Plan:
    """Plan the refreshes of all marts of a project.

    Args:
        project: Its models.
        contracts: By system.
        reads: What marts and steps are known to read; everything if it is not known.

    Raises:
        MartDeclarationError: A mart does not say what must be known; names the mart, the table and what to declare.
    """
    shares = [_Share(group, frozenset({mart.name})) for mart in project.of_kind(MART) for group in project.groups(mart.name)]
    shares = [share.with_steps(project) for share in shares]

    def families(shares: Iterable[_Share]) -> Iterator[Family]:
        return (_family(share, share.group, project, contracts, reads) for share in shares if isinstance(share.group, Group))

    # What other marts of a family read connects nothing in this one.
    list(families(shares))
    merged, places = _merged(shares, project), [*project.models]
    followers = [_followers(share, share.group, project) for share in merged if isinstance(share.group, Rows)]
    shown = [_Share(view.group, frozenset({view.name})) for view in project.of_kind(VIEW) if view.group]
    plan = Plan(
        project,
        contracts,
        families=tuple(_named([*families(merged)])),
        followers=tuple(sorted(followers, key=lambda each: min(places.index(name) for name in each.models))),
        shown={family.name: family for family in families(shown)},
    )
    for mart in plan.marts:
        _require_grain(mart)
        _require_tables(plan, mart)
        _require_apart(plan, mart)
        _require_columns(plan, mart)
    for model in project.of_kind(MART, VIEW):
        bearings_of(project, model.name)
    return plan


def _require_grain(mart: Model) -> None:
    if not mart.grain:
        raise MartDeclarationError(
            f"mart {mart.name} does not say by which columns a row is identified; give it the test `unique` on one column, or "
            "`unique_grain` on several"
        )


def _require_tables(plan: Plan, mart: Model) -> None:
    """Every table behind a mart tells of its changes, and if groups are touched at all, some of them by this table."""
    systems = {family.group.system for family in plan.families_of(mart.name)}
    untold = plan.untold_records(mart.name)
    raw = (table for table in plan.project.behind(mart.name) if table in untold or table[0] in plan.contracts)
    for system, table in sorted(raw):
        if system not in plan.contracts or table not in plan.contracts[system].tables:
            raise MartDeclarationError(
                f"mart {mart.name} reads {system}.{table}, which no contract declares, so that nothing tells when its rows change; declare "
                "it in a contract, let a rule that reads it tell (`touched_by`), or make the mart a view (`materialized: mart_view`)"
            )
        if systems and system not in systems:
            raise MartDeclarationError(
                f"mart {mart.name} reads {system}.{table}, but its groups are rows of {', '.join(sorted(systems))}, and no foreign key "
                "leads from one system to another; say `group: whole`, or unite models of which each says its `group`"
            )


def _require_apart(plan: Plan, mart: Model) -> None:
    """Groups of one system are made of tables apart: each table is read of the touched groups that it tells of."""
    groups = [family.group for family in plan.families_of(mart.name)]
    for one, other in combinations(groups, 2):
        both = plan.project.behind_groups(mart.name, one) & plan.project.behind_groups(mart.name, other)
        for system, table in sorted(both):
            if one.system == other.system == system:
                raise MartDeclarationError(
                    f"mart {mart.name} has rows of {one.of} and of {other.of} as its groups, and both are made of {system}.{table}; let "
                    "one of them do without it, or let them have the same groups"
                )


def _require_columns(plan: Plan, mart: Model) -> None:
    for family in plan.families_of(mart.name):
        for column in plan.columns_of(family):
            if column not in mart.columns:
                group = f"{family.group.system}.{family.group.table}"
                raise MartDeclarationError(
                    f"mart {mart.name} has no column {column}, which would say to which row of {group} its rows belong; add it, or name "
                    f"the column that says so: `group: {{table: {group}, columns: {{<column>: <SQL of the key>}}}}`"
                )


@dataclass(frozen=True)
class _Share:
    """Models that are recomputed by the same groups."""

    group: Group | Rows
    models: frozenset[str]

    def with_steps(self, project: Project) -> "_Share":
        """With the steps behind its marts, as far as these are not behind other marts that they read."""
        return _Share(self.group, self.models.union(*(_steps_behind(project, name) for name in self.models)))

    def rules(self, project: Project) -> frozenset[str]:
        """Names of the rules that any of its models asks for, of one system if its groups are."""
        asked = frozenset(rule for name in self.models for rule in project.models[name].touched_by)
        return frozenset(rule for rule in asked if isinstance(self.group, Rows) or _is_about(project.models[rule], self.group.system))

    def behind(self, project: Project) -> frozenset[Table]:
        """The raw tables behind any of its models that tell of these groups, of one system if the groups are."""
        tables = frozenset[Table]().union(*(project.behind_groups(name, self.group) for name in self.models))
        return frozenset(table for table in tables if isinstance(self.group, Rows) or table[0] == self.group.system)


def _is_about(rule: Model, system: str) -> bool:
    """Whether a rule names rows of a system, or of none."""
    return rule.touches is None or rule.touches[0] == system


def _steps_behind(project: Project, name: str) -> frozenset[str]:
    models = [project.models[parent] for parent in project.models[name].models if project.models[parent].kind != MART]
    own = frozenset(model.name for model in models if model.kind == STEP)
    return own.union(*(_steps_behind(project, model.name) for model in models))


def _merged(shares: Iterable[_Share], project: Project) -> list[_Share]:
    """Shares that have a step in common, or the same groups touched by the same tables and rules, as one."""
    merged: list[_Share] = []
    for share in shares:
        same = [other for other in merged if _are_one(share, other, project)]
        together = _Share(share.group, share.models.union(*(other.models for other in same)))
        merged = [*(other for other in merged if other not in same), together]
    return merged


def _are_one(share: _Share, other: _Share, project: Project) -> bool:
    common = sorted(name for name in share.models & other.models if project.models[name].kind == STEP)
    if common and share.group != other.group:
        raise MartDeclarationError(
            f"step {common[0]} is read by marts of different groups, {', '.join(sorted(share.models | other.models))}; let each group have "
            "a step of its own"
        )
    is_same = share.group == other.group and share.rules(project) == other.rules(project)
    # What follows is touched when all that it follows has been recomputed; without a step that says so it may be recomputed before.
    return bool(common) or (isinstance(share.group, Group) and is_same and share.behind(project) == other.behind(project))


def _followers(share: _Share, group: Rows, project: Project) -> Followers:
    marts = sorted(name for name in share.models if project.models[name].kind == MART)
    followed: dict[str, tuple[str, ...]] = {}
    for mart in marts:
        read, past = project.read_past_marts(mart)
        for table in sorted(past):
            raise MartDeclarationError(
                f"mart {mart} has rows of the mart {group.mart} as its groups, but reads the raw table {'.'.join(table)} past marts, so "
                "that no group is touched when that changes; read what it needs of it from a mart"
            )
        followed |= {name: tuple(column for column in group.columns if column in project.models[name].columns) for name in read}
        if missing := [column for column in group.columns if column not in project.models[mart].columns]:
            raise MartDeclarationError(f"mart {mart} has no column {', '.join(missing)}, which names its groups; add it")
    for name, columns in followed.items():
        if not columns or (name == group.mart and columns != group.columns):
            raise MartDeclarationError(
                f"mart {marts[0]} reads the mart {name}, which has no column {', '.join(group.columns)} that says to which of its groups a "
                "row belongs; add it there"
            )
    for name in sorted(share.models):
        if late := sorted(followed.keys() - {model.name for model in project.read_by(name)}):
            raise MartDeclarationError(
                f"{name} is recomputed with the mart {marts[0]}, which reads the mart {late[0]}; let it be made of that mart too, or let "
                f"{marts[0]} have steps of its own, or {name} would be recomputed before it is known which groups {late[0]} touches"
            )
    if group.mart not in followed:
        raise MartDeclarationError(f"mart {marts[0]} has rows of {group.mart} as its groups, but does not read it; name one that it reads")
    return Followers(marts[0], group, followed, tuple(sorted(share.models)))


def _family(share: _Share, group: Group, project: Project, contracts: Mapping[str, SystemContract], reads: Reads | None) -> Family:
    marts = sorted(name for name in share.models if project.models[name].kind in (MART, VIEW))
    if group.system not in contracts or group.table not in contracts[group.system].tables:
        raise MartDeclarationError(f"mart {marts[0]} has rows of {group.system}.{group.table} as its groups, which no contract declares")
    try:
        ways = influence(
            contracts[group.system],
            group.table,
            {table for _, table in share.behind(project)},
            is_read=lambda hop: reads is None or _is_read(hop, group, share.models, project, reads),
            is_compared=lambda column: any(project.compares(mart, column) for mart in marts),
        )
    except NoWayToGroup as error:
        raise MartDeclarationError(f"mart {marts[0]}: {error}") from error
    rules = tuple(project.models[name] for name in sorted(share.rules(project)))
    return Family(marts[0], group, ways, rules, tuple(sorted(share.models)))


def _is_read(hop: Hop, group: Group, models: Iterable[str], project: Project, reads: Reads) -> bool:
    """Whether any of the models, or a mart that they read, makes use of all columns of a foreign key."""
    # Of what a part of a full refresh has left out nothing is known.
    if not reads.keys() >= {*models}:
        return True
    readers = {each.name for name in models for each in project.read_by(name)}
    return any({*hop.key.columns} <= {*reads.get(name, {}).get((group.system, hop.child), ())} for name in readers)


def _named(families: Sequence[Family]) -> Iterator[Family]:
    """Families of one mart are told apart by their systems, and those of one system by their tables."""
    often, of_system = Counter(family.name for family in families), Counter((family.name, family.group.system) for family in families)
    for family in families:
        parts = [family.name]
        if often[family.name] > 1:
            parts.append(family.group.system)
        if of_system[family.name, family.group.system] > 1:
            parts.append(family.group.table)
        yield replace(family, name="__".join(parts))
