"""What the models of the dbt project say of themselves: which are marts, what their groups are, and which raw tables stand behind them.

Belongs here: reading dbt's manifest. Does not belong here: making one that is not stale (`resources.manifest`), and how rows lead to groups
(`influence`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any

from dagster_project.errors import RunmartError

# A raw table: its system and its name.
Table = tuple[str, str]

# How a model is materialized that is kept from one refresh to the next.
MART = "mart"

_ALIAS = re.compile(r'"?(\w+)"? as "?(\w+)"?')
_REFERRED = re.compile(r"ref\(['\"](\w+)['\"]\)")


class MartDeclarationError(RunmartError):
    """A mart does not say what an engine must know; the message names the mart and what to declare."""


@dataclass(frozen=True)
class Group:
    """What is recomputed as a whole when a row behind it changes.

    Attributes:
        system: The system of the table.
        table: The raw table; a group is one of its rows, whether the row is there or not.
        columns: The columns of a mart that name the group, each with the SQL that makes it of the table's key; the key itself if empty.
    """

    system: str
    table: str
    columns: Mapping[str, str]

    @property
    def of(self) -> str:
        """What its rows are of."""
        return f"{self.system}.{self.table}"


@dataclass(frozen=True)
class Rows:
    """Rows of another mart that say the same in some columns: recomputed as a whole when any of them has changed.

    Attributes:
        mart: The other mart.
        columns: Its columns that name the group; the marts of the group have them too.
    """

    mart: str
    columns: tuple[str, ...]

    @property
    def of(self) -> str:
        """What its rows are of."""
        return f"the mart {self.mart}"


@dataclass(frozen=True)
class Model:
    """A model of the project.

    Attributes:
        name: Its name.
        kind: How it is materialized: `mart`, `mart_view`, `mart_history`, `step` or `inlined_view`.
        schema: Where dbt would put it; that of marts is where analysts read them.
        description: What a row of it is.
        columns: Descriptions by column, in order.
        grain: The columns that identify a row, as a test says, or a view of marts that are tested; empty where nothing does.
        group: What it declares its groups to be, rows of a raw table or of another mart; None if it declares none.
        is_whole: Whether it says that it is recomputed whole in each refresh.
        touched_by: Models whose rows name raw rows that count as changed, though no batch has touched them: those that it declares, and
            those of the models that it reads, marts left out.
        touches: The raw table, system and name, whose rows it names, if it is such a model.
        indexes: Of the published mart, as dbt writes them.
        history_of: The mart whose versions it keeps.
        bears_on: By raw table, `<system>.<table>`, what it says of the rows that bear on its columns: see `bearing`.
        models: Names of the models that it reads.
        tables: Raw tables, system and name, that it reads itself.
        code: Its SQL as it is written, and after it the macros of the project that it uses.
        references: By column, the mart and its column that a test of relationships holds it against.
    """

    name: str
    kind: str
    schema: str
    description: str
    columns: Mapping[str, str]
    grain: tuple[str, ...]
    group: Group | Rows | None
    is_whole: bool
    touched_by: tuple[str, ...]
    touches: Table | None
    indexes: tuple[Mapping[str, Any], ...]
    history_of: str | None
    bears_on: Mapping[str, Sequence[Mapping[str, Any]]]
    models: tuple[str, ...]
    tables: frozenset[Table]
    code: str
    references: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Project:
    """The models by name; what a model reads stands before it."""

    models: Mapping[str, Model]

    def of_kind(self, *kinds: str) -> list[Model]:
        """The models that are materialized so, by name."""
        return sorted((model for model in self.models.values() if model.kind in kinds), key=lambda model: model.name)

    def read_by(self, name: str) -> list[Model]:
        """The models behind a model, itself at the end; what is read stands before what reads it."""
        wanted = {name}
        for model in reversed([*self.models.values()]):
            if model.name in wanted:
                wanted |= {*model.models}
        return [model for model in self.models.values() if model.name in wanted]

    def behind(self, name: str) -> frozenset[Table]:
        """The raw tables behind a model, through whatever models."""
        return frozenset[Table]().union(*(model.tables for model in self.read_by(name)))

    def read_past_marts(self, name: str) -> tuple[frozenset[str], frozenset[Table]]:
        """The marts that a model reads, and the raw tables that it reads past them, both through whatever models are no marts."""
        model = self.models[name]
        marts = {parent for parent in model.models if self.models[parent].kind == MART}
        found = [self.read_past_marts(parent) for parent in model.models if parent not in marts]
        return frozenset(marts).union(*(each for each, _ in found)), model.tables.union(*(each for _, each in found))

    def groups(self, mart: str) -> tuple[Group | Rows, ...]:
        """The groups of a mart: its own, or those of the models that it unites.

        Raises:
            MartDeclarationError: Nothing says what they are.
        """
        model = self.models[mart]
        if model.is_whole:
            return ()
        groups = tuple(group for name in (*self.united(mart), mart) if (group := self.models[name].group))
        if not groups:
            raise MartDeclarationError(
                f"mart {mart} does not say by what groups it is recomputed; declare `group: {{table: <system>.<table>}}` in its meta, "
                "`group: {mart: <mart>, columns: [<column>]}` if it is made of rows of another mart, or `group: whole` if it is small "
                "enough to be recomputed whole each time"
            )
        return groups

    def united(self, mart: str) -> list[str]:
        """The models with groups that a mart reads which has none of its own."""
        model = self.models[mart]
        is_one = model.group is not None or model.is_whole
        return [] if is_one else [name for name in model.models if self.models[name].schema != model.schema and self.models[name].group]

    def behind_groups(self, name: str, group: Group | Rows) -> frozenset[Table]:
        """The raw tables behind a model; what a mart unites whose groups are others tells of its own."""
        model = self.models[name]
        others = {each for each in self.united(name) if self.models[each].group != group} if model.kind == MART else set()
        return model.tables.union(*(self.behind(parent) for parent in model.models if parent not in others))

    def compares(self, mart: str, column: str) -> bool:
        """Whether SQL behind a mart may compare a raw column with another one, under whatever name; in doubt it does."""
        codes = [model.code for model in self.read_by(mart)]
        names = {column}
        for name, alias in _ALIAS.findall("\n".join(codes)):
            names |= {alias} if name in names else set()
        name = rf"\b(?:{'|'.join(map(re.escape, names))})\b"
        operands = rf"[=<>]\s*(?:\w+\.)?{name}|{name}\s*(?:[=<>]|in\b|is (?:not )?distinct)"
        # Rows of one group or window meet, too.
        compared = rf"{operands}|using\s*\([^)]*{name}|\bby\b[^()]*{name}|['\"]{name}['\"]"
        return any(re.search(compared, code) for code in codes)


def read_project(manifest: Mapping[str, Any]) -> Project:
    """What dbt's manifest, as it stands in `manifest.json`, says of the models."""
    nodes = [node for node in manifest["nodes"].values() if node["package_name"] == manifest["metadata"]["project_name"]]
    tests: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for node in nodes:
        if node["resource_type"] == "test" and node.get("test_metadata") and node.get("attached_node"):
            tests[node["attached_node"]].append(node["test_metadata"])
    models = {node["unique_id"]: node for node in nodes if node["resource_type"] == "model"}
    order = TopologicalSorter({key: [parent for parent in node["depends_on"]["nodes"] if parent in models] for key, node in models.items()})
    found: dict[str, Model] = {}
    for key in order.static_order():
        model = _model(models[key], tests[key], manifest)
        inherited = (rule for parent in model.models if found[parent].kind != MART for rule in found[parent].touched_by)
        found[model.name] = replace(model, touched_by=tuple(dict.fromkeys([*model.touched_by, *inherited])))
    return Project(found)


def _model(node: Mapping[str, Any], tests: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any]) -> Model:
    sources = manifest["sources"]
    config, meta, read = node["config"], node["config"]["meta"], node["depends_on"]["nodes"]
    return Model(
        name=node["name"],
        kind=config["materialized"],
        schema=node["schema"],
        description=node["description"],
        columns={name: column["description"] for name, column in node["columns"].items()},
        grain=_grain(tests) or tuple(meta.get("grain", ())),
        group=None if meta.get("group") in (None, "whole") else _group(node["name"], meta["group"]),
        is_whole=meta.get("group") == "whole",
        touched_by=tuple(meta.get("touched_by", ())),
        touches=_table(node["name"], meta["touches"]) if "touches" in meta else None,
        indexes=tuple(config.get("indexes") or ()),
        history_of=meta.get("history_of"),
        bears_on=meta.get("bears_on", {}),
        models=tuple(parent.rpartition(".")[2] for parent in read if parent.startswith("model.")),
        tables=frozenset((sources[parent]["source_name"], sources[parent]["name"]) for parent in read if parent.startswith("source.")),
        code="\n".join([node["raw_code"], *(macro["macro_sql"] for macro in _macros(node, manifest))]),
        references={
            test["kwargs"]["column_name"]: (_REFERRED.findall(test["kwargs"]["to"])[0], test["kwargs"]["field"])
            for test in tests
            if test["name"] == "relationships"
        },
    )


def _macros(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The macros of the project that a model uses, through whatever macros."""
    macros = {key: macro for key, macro in manifest["macros"].items() if macro["package_name"] == manifest["metadata"]["project_name"]}
    found: dict[str, Mapping[str, Any]] = {}
    new = [*node["depends_on"]["macros"]]
    while new:
        name = new.pop()
        if name in macros and name not in found:
            found[name] = macros[name]
            new += macros[name]["depends_on"]["macros"]
    return found.values()


def _grain(tests: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of the test of the key: `unique` on one column, or `unique_grain` on several."""
    for test in tests:
        if test["name"] == "unique_grain":
            return tuple(test["kwargs"]["columns"])
    return next(((test["kwargs"]["column_name"],) for test in tests if test["name"] == "unique"), ())


def _group(model: str, declared: Mapping[str, Any]) -> Group | Rows:
    if "mart" in declared:
        return Rows(declared["mart"], tuple(declared["columns"]))
    system, table = _table(model, declared.get("table", ""))
    return Group(system, table, declared.get("columns", {}))


def _table(model: str, name: str) -> Table:
    system, _, table = name.partition(".")
    if not system or not table:
        raise MartDeclarationError(f"model {model} names the raw table {name!r} in its meta; write <system>.<table>")
    return system, table
