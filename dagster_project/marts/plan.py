"""How the marts of a project are refreshed: which of them share their groups, and where what an engine makes for them lives.

Belongs here: what follows from the project and the contracts alone. Does not belong here: what a single refresh has to do, and SQL
(`postgres`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dagster_project.contracts.contract import SystemContract
from dagster_project.marts.bearing import bearings_of
from dagster_project.marts.influence import Hop, Influence, NoWayToGroup, influence
from dagster_project.marts.lineage import Group, MartDeclarationError, Model, Project, Table

CANDIDATES = "analytics_next"
PUBLISHED = "analytics"
# A model that is materialized so is a table of one refresh, which several marts read.
STEP = "step"
MART, HISTORY, VIEW = "mart", "mart_history", "mart_view"


@dataclass(frozen=True)
class Family:
    """Marts whose groups are rows of one raw table and are touched together, and the steps that they read.

    Attributes:
        name: The first of its marts, and the system of the groups if that mart has groups of several.
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
class Plan:
    """How marts are refreshed.

    Attributes:
        project: The models.
        contracts: By system.
        families: In no order that matters; a mart with groups of several systems is in several.
    """

    project: Project
    contracts: Mapping[str, SystemContract]
    families: tuple[Family, ...]

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
        marts = self._marts_shown(name)
        columns = {*self.project.models[name].columns}
        are_named = all(group and {*group} <= columns for group in map(self.group_columns, marts))
        return [family for mart in marts for family in self.families_of(mart)] if are_named else []

    def _marts_shown(self, name: str) -> list[str]:
        model = self.project.models[name]
        return [name] if model.kind != VIEW else [mart for read in model.models for mart in self._marts_shown(read)]

    def group_columns(self, mart: str) -> tuple[str, ...]:
        """The columns of a mart that name its groups; none if it is recomputed whole."""
        return next((tuple(self.columns_of(family)) for family in self.families_of(mart)), ())

    def touched_of(self, mart: str) -> str:
        """The table of touched groups by the columns of a mart, in the schema of candidates."""
        families = self.families_of(mart)
        return families[0].touched if len(families) == 1 and not families[0].group.columns else f"{mart}__groups"

    def relation_of(self, model: str) -> tuple[str, str]:
        """Schema and name of what the project means by a model: of a mart its candidate."""
        schema = self.project.models[model].schema
        return CANDIDATES if schema == PUBLISHED else schema, model

    def relations_behind(self, model: str) -> set[tuple[str, str]]:
        """Schemas and names of what a model says that it reads; a source that is no system's is called by its schema."""
        read = self.project.models[model]
        raw = {(self.contracts[system].raw_schema if system in self.contracts else system, table) for system, table in read.tables}
        return raw.union(map(self.relation_of, read.models))

    def referring_column(self, mart: str, family: Family) -> str | None:
        """The column of a mart that names a group of a family: its own, or one that a test holds against that of another mart."""
        group = [*self.columns_of(family)]
        if len(group) != 1 or family.group.columns:
            return None
        if mart in family.models:
            return group[0]
        same = {name for other in self.families if other.group == family.group for name in other.models}
        references = self.project.models[mart].references.items()
        return next((column for column, (parent, field) in references if parent in same and field == group[0]), None)

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
    for share in shares:
        # What other marts of a family read connects nothing in this one.
        _family(share, project, contracts, reads)
    families = [_family(share, project, contracts, reads) for share in _merged(shares, project)]
    plan = Plan(project, contracts, tuple(_named(families)))
    for mart in plan.marts:
        _require_grain(mart)
        _require_tables(plan, mart)
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
    for system, table in sorted(plan.project.behind(mart.name)):
        if system not in plan.contracts or table not in plan.contracts[system].tables:
            raise MartDeclarationError(
                f"mart {mart.name} reads {system}.{table}, which no contract declares, so that nothing tells when its rows change; declare "
                "it in a contract, or make the mart a view (`materialized: mart_view`)"
            )
        if not mart.is_whole and system not in systems:
            raise MartDeclarationError(
                f"mart {mart.name} reads {system}.{table}, but its groups are rows of {', '.join(sorted(systems))}, and no foreign key "
                "leads from one system to another; say `group: whole`, or unite models of which each says its `group`"
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

    group: Group
    models: frozenset[str]

    def with_steps(self, project: Project) -> "_Share":
        """With the steps behind its marts, as far as these are not behind other marts that they read."""
        return _Share(self.group, self.models.union(*(_steps_behind(project, name) for name in self.models)))

    def rules(self, project: Project) -> frozenset[str]:
        """Names of the rules that any of its models asks for."""
        return frozenset(rule for name in self.models for rule in project.models[name].touched_by)

    def behind(self, project: Project) -> frozenset[Table]:
        """The raw tables of its system behind any of its models."""
        tables = frozenset[Table]().union(*(project.behind(name) for name in self.models))
        return frozenset(table for table in tables if table[0] == self.group.system)


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
    return bool(common) or (is_same and share.behind(project) == other.behind(project))


def _family(share: _Share, project: Project, contracts: Mapping[str, SystemContract], reads: Reads | None) -> Family:
    marts = sorted(name for name in share.models if project.models[name].kind == MART)
    group = share.group
    if group.system not in contracts or group.table not in contracts[group.system].tables:
        raise MartDeclarationError(f"mart {marts[0]} has rows of {group.system}.{group.table} as its groups, which no contract declares")
    try:
        ways = influence(
            contracts[group.system],
            group.table,
            {table for _, table in share.behind(project)},
            is_read=lambda hop: reads is None or _is_read(hop, share, project, reads),
            is_compared=lambda column: any(project.compares(mart, column) for mart in marts),
        )
    except NoWayToGroup as error:
        raise MartDeclarationError(f"mart {marts[0]}: {error}") from error
    rules = tuple(project.models[name] for name in sorted(share.rules(project)))
    return Family(marts[0], group, ways, rules, tuple(sorted(share.models)))


def _is_read(hop: Hop, share: _Share, project: Project, reads: Reads) -> bool:
    """Whether any of the models, or a mart that they read, makes use of all columns of a foreign key."""
    models = {each.name for name in share.models for each in project.read_by(name)}
    return any({*hop.key.columns} <= {*reads.get(name, {}).get((share.group.system, hop.child), ())} for name in models)


def _named(families: Sequence[Family]) -> Iterator[Family]:
    """Families of one mart are told apart by their systems."""
    often = Counter(family.name for family in families)
    for family in families:
        yield family if often[family.name] == 1 else replace(family, name=f"{family.name}__{family.group.system}")
