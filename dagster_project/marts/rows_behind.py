"""Which rows of raw tables stand behind a row of a mart: the rules that the files of models declare.

A mart declares its own as `rows_behind`. What a system brings to a mart of several systems stands with the intermediate model that it
brings, as `rows_behind_of`, by mart.

Belongs here: reading the rules, and the SQL condition that a rule makes for a column. Does not belong here: asking a database
(`explanation`). The files are read as YAML and not from dbt's manifest, which takes dbt seconds to write.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dagster_project.settings import DBT_PROJECT

_PLACEHOLDER = re.compile(r"\{([a-z_]\w*)\}")


@dataclass(frozen=True)
class Rule:
    """Rows of one raw table that stand behind a row of a mart.

    Attributes:
        table: The table, `<system>.<table>`.
        where: Condition on `raw`, a live row of the table, and `mart`, the row of the mart; `{runs}` stands for the rows of the table
            `runs` of the same system that the rules before have found.
        columns: Regular expression for the columns of the mart on which the rows bear; None for all.
        narrowed: Condition that is added when one column is explained; `{…}` stands for a named group of `columns`.
    """

    table: str
    where: str
    columns: str | None = None
    narrowed: str | None = None

    @property
    def system(self) -> str:
        """The system of the table."""
        return self.table.partition(".")[0]

    def bears_on(self, column: str | None) -> bool:
        """Whether these rows bear on a column, or on any if it is None."""
        return column is None or self.columns is None or re.fullmatch(self.columns, column) is not None

    def condition(self, column: str | None, found: Mapping[str, str]) -> str:
        """The condition as SQL, for a column on which the rows bear, or for all if it is None.

        Args:
            column: A column of the mart.
            found: Where the rows are that were found before, by table.

        Raises:
            KeyError: A placeholder names no table that was found before, and no group of `columns`.
        """
        where = _PLACEHOLDER.sub(lambda name: found[f"{self.system}.{name[1]}"], self.where)
        if column is None or self.narrowed is None:
            return f"({where})"
        match = re.fullmatch(self.columns or ".*", column)
        groups = match.groupdict(default="") if match else {}
        return f"({where}) and ({_PLACEHOLDER.sub(lambda name: groups[name[1]], self.narrowed)})"


@dataclass(frozen=True)
class MartRules:
    """What is declared of one mart.

    Attributes:
        name: The mart.
        grain: The columns that identify a row.
        columns: All its columns.
        rules: In the order in which they are applied; empty if no rows of sources stand behind the mart.
    """

    name: str
    grain: tuple[str, ...]
    columns: tuple[str, ...]
    rules: tuple[Rule, ...]


def load_rules() -> dict[str, MartRules]:
    """The declared marts by name."""
    models = DBT_PROJECT / "models"
    brought = [_meta(model).get("rows_behind_of", {}) for model in _described(models / "intermediate")]
    return {
        model["name"]: MartRules(
            name=model["name"],
            grain=tuple(_grain(model)),
            columns=tuple(column["name"] for column in model["columns"]),
            rules=tuple(
                Rule(**rule)
                for rules in (_meta(model).get("rows_behind", ()), *(by_mart.get(model["name"], ()) for by_mart in brought))
                for rule in rules
            ),
        )
        for model in _described(models / "marts")
    }


def _described(folder: Path) -> Iterator[Mapping[str, Any]]:
    """What the files of a layer say of its models, one file each."""
    for path in sorted(folder.rglob("*.yml")):
        yield from yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["models"]


def _meta(model: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = model.get("config", {}).get("meta", {})
    return meta


def _grain(model: Mapping[str, Any]) -> Iterator[str]:
    """The columns of the mart's key test: `unique` on one column, or `unique_grain` on several."""
    for test in model.get("data_tests", ()):
        if "unique_grain" in test:
            yield from test["unique_grain"]["arguments"]["columns"]
            return
    if "grain" in _meta(model):
        yield from _meta(model)["grain"]
        return
    yield next(column["name"] for column in model["columns"] if any("unique" in test for test in column.get("data_tests", ())))
