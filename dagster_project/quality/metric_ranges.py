"""Ranges of metrics by their names: what is expected by convention, and what is possible at all.

Belongs here: the shape of `expectations/metric_ranges.yaml`, its validation, and its copy in the warehouse, the table
quality.metric_ranges, which suites read. Does not belong here: which values are outside (`expectations/forecast_tracking/metrics.json`).
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from dagster_project.errors import RunmartError
from dagster_project.quality.suites import EXPECTATIONS_ROOT

METRIC_RANGES_FILE = EXPECTATIONS_ROOT / "metric_ranges.yaml"
METRIC_RANGES_TABLE = "quality.metric_ranges"

_COLUMNS = "metric_name, experiment_name, expected_min, expected_max, possible_min, possible_max, convention"


class MetricRangesError(RunmartError):
    """The file of ranges cannot be used; the message starts with the file."""


def _bounds(value: object) -> object:
    """Two numbers; null is an open bound."""
    if isinstance(value, list) and len(value) == 2:
        least, most = value
        return (-math.inf if least is None else least, math.inf if most is None else most)
    return value


Bounds = Annotated[tuple[Annotated[float, Field(strict=True)], Annotated[float, Field(strict=True)]], BeforeValidator(_bounds)]
_ANY_NUMBER = (-math.inf, math.inf)


class MetricRange(BaseModel):
    """What the values of a metric are, everywhere or in one experiment.

    Attributes:
        metric: Name in lower case; it also stands for names that end in a level or a step.
        experiment: Name of the experiments that it is about; None for all that have no range of their own.
        expected: Least and largest value by convention.
        possible: Least and largest value that there can be; None for the metric's own where it is about an experiment, else any number.
        convention: Why, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Annotated[str, StringConstraints(pattern=r"^[^\sA-Z](.*[^\sA-Z])?$")]
    experiment: Annotated[str, StringConstraints(min_length=1)] | None = None
    expected: Bounds
    possible: Bounds | None = None
    convention: Annotated[str, StringConstraints(min_length=1)]

    @property
    def name(self) -> str:
        """The metric, and the experiment if it is about one."""
        return f"{self.metric} in {self.experiment}" if self.experiment else self.metric


_Ranges = TypeAdapter(tuple[MetricRange, ...])


def load_metric_ranges(path: Path = METRIC_RANGES_FILE) -> tuple[MetricRange, ...]:
    """Read and validate the ranges; `possible` of each is filled in.

    Raises:
        MetricRangesError: The file is missing, is not YAML or breaks a rule; says what and in which entry.
    """
    entries = _parse(path)
    try:
        ranges = _Ranges.validate_python(entries)
    except ValidationError as error:
        problems = (f"{path}: {_place(entries, problem['loc'])}: {problem['msg']}" for problem in error.errors())
        raise MetricRangesError("\n".join(problems)) from error
    usual = {entry.metric: entry.possible for entry in ranges if entry.experiment is None}
    ranges = tuple(entry.model_copy(update={"possible": entry.possible or usual.get(entry.metric) or _ANY_NUMBER}) for entry in ranges)
    if found := list(_problems(ranges)):
        raise MetricRangesError("\n".join(f"{path}: {problem}" for problem in found))
    return ranges


def declare(connection: Connection, ranges: Sequence[MetricRange]) -> None:
    """Make the table in the warehouse equal the ranges; one that is equal is not written."""
    wanted = [(entry.metric, entry.experiment, *entry.expected, *(entry.possible or _ANY_NUMBER), entry.convention) for entry in ranges]
    with connection.cursor() as cursor:
        cursor.execute(f"select {_COLUMNS} from {METRIC_RANGES_TABLE}")
        if set(cursor.fetchall()) == set(wanted):
            return
        # Two checks at once would both insert.
        cursor.execute("begin")
        cursor.execute(f"lock table {METRIC_RANGES_TABLE} in exclusive mode")
        cursor.execute(f"delete from {METRIC_RANGES_TABLE}")
        if wanted:
            execute_values(cursor, f"insert into {METRIC_RANGES_TABLE} ({_COLUMNS}) values %s", wanted)
        cursor.execute("commit")


def _parse(path: Path) -> object:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) or []
    except FileNotFoundError as error:
        raise MetricRangesError(f"{path}: there is no such file; leave it empty if no metric has a range") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise MetricRangesError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise MetricRangesError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error


def _place(entries: object, location: tuple[int | str, ...]) -> str:
    """Which entry, by the name of its metric if it has one, and what of it."""
    match location:
        case (int() as index, *rest) if isinstance(entries, list):
            entry = entries[index]
            metric = entry.get("metric") if isinstance(entry, dict) else None
            return ".".join(map(str, [f"entry {index + 1}" + (f" ({metric})" if metric else ""), *rest]))
        case _:
            return "the file"


def _problems(ranges: Sequence[MetricRange]) -> Iterator[str]:
    for name, count in Counter(entry.name for entry in ranges).items():
        if count > 1:
            yield f"{name} is there {count} times; keep one of them"
    for entry in ranges:
        possible = entry.possible or _ANY_NUMBER
        for what, (least, most) in (("expected", entry.expected), ("possible", possible)):
            if not least <= most:
                yield f"{entry.name}: {what}: {least:g} is more than {most:g}; the smaller one comes first"
        if entry.expected[0] < possible[0] or entry.expected[1] > possible[1]:
            yield f"{entry.name}: expected is wider than possible, {possible[0]:g} to {possible[1]:g}; widen possible or narrow expected"
