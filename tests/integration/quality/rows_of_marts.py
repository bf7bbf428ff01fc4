"""What the quality tests are told of marts: clean rows, as far as types do not say what is clean, and the corruptions that no rule makes.

Belongs here: reading what is told, which stands in `marts/`, a file for each folder of marts. A mart that is like any other is not there.
Does not belong here: making the rows (`conftest`), and corrupting them (`corruptions`).
"""

from pathlib import Path

import yaml
from pydantic import BaseModel


class RowsOfMart(BaseModel, extra="forbid", frozen=True):
    """What is told of a mart.

    Attributes:
        rows: How many clean rows it has; where it must have a row for each of the source, as many as the clean source has.
        values: By column, the value of clean rows in SQL; `number` is that of the row.
        corruptions: By check, what breaks it, written as `corruptions` says.
    """

    rows: int = 4
    values: dict[str, str] = {}
    corruptions: dict[str, list[str]] = {}


def rows_of_marts() -> dict[str, dict[str, RowsOfMart]]:
    """What is told, by folder and mart."""
    files = sorted((Path(__file__).parent / "marts").glob("*.yaml"))
    told = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    return {folder: {mart: RowsOfMart.model_validate(rows) for mart, rows in marts.items()} for folder, marts in told.items()}
