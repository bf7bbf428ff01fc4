"""The file of ranges: what it says when nothing else is said, and what is refused with which words."""

from math import inf
from pathlib import Path

import pytest

from dagster_project.quality.metric_ranges import MetricRangesError, load_metric_ranges


def _file(folder: Path, text: str) -> Path:
    path = folder / "metric_ranges.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_open_bounds_and_what_an_experiment_takes_from_its_metric(tmp_path: Path) -> None:
    usual, own, other = load_metric_ranges(
        _file(
            tmp_path,
            "- {metric: accuracy, expected: [0, 1], possible: [0, 100], convention: a share}\n"
            "- {metric: accuracy, experiment: Percent, expected: [0, 100], convention: in percent}\n"
            "- {metric: skill, expected: [null, 1], convention: at most 1}\n",
        )
    )
    assert (usual.expected, usual.possible) == ((0, 1), (0, 100))
    assert (own.experiment, own.expected, own.possible) == ("Percent", (0, 100), (0, 100))
    assert (other.expected, other.possible) == ((-inf, 1), (-inf, inf))


def test_empty_file_has_no_ranges(tmp_path: Path) -> None:
    assert load_metric_ranges(_file(tmp_path, "# none\n")) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {metric: mae, expected: [1, 0], convention: c}", "mae: expected: 1 is more than 0; the smaller one comes first"),
        ("- {metric: mae, expected: [0, .nan], convention: c}", "mae: expected: 0 is more than nan"),
        ("- {metric: mae, expected: [0], convention: c}", "entry 1 (mae).expected"),
        ("- {metric: mae, expected: [zero, 1], convention: c}", "entry 1 (mae).expected"),
        ("- {metric: mae, expected: [0, 1]}", "entry 1 (mae).convention: Field required"),
        ("- {metric: MAE, expected: [0, 1], convention: c}", "entry 1 (MAE).metric"),
        ("- {metric: ' mae', expected: [0, 1], convention: c}", "entry 1 ( mae).metric"),
        ("- {expected: [0, 1], convention: c}", "entry 1.metric: Field required"),
        ("- {metric: mae, colour: red, expected: [0, 1], convention: c}", "entry 1 (mae).colour"),
        ("metric: mae", "the file: Input should be a valid tuple"),
        ("- mae", "entry 1: Input should be a valid dictionary"),
        ("- [", "metric_ranges.yaml:2: not valid YAML"),
        (
            "- {metric: mae, expected: [0, 1], convention: c}\n- {metric: mae, expected: [0, 2], convention: c}",
            "mae is there 2 times; keep one of them",
        ),
        (
            "- {metric: mae, expected: [0, 1], possible: [0, 1], convention: c}\n"
            "- {metric: mae, experiment: e, expected: [-1, 1], convention: c}",
            "mae in e: expected is wider than possible, 0 to 1; widen possible or narrow expected",
        ),
    ],
)
def test_broken_file_names_file_entry_and_fault(tmp_path: Path, text: str, words: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(MetricRangesError) as error:
        load_metric_ranges(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)


def test_missing_file_says_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(MetricRangesError, match=r"nowhere\.yaml: there is no such file; leave it empty if no metric has a range"):
        load_metric_ranges(tmp_path / "nowhere.yaml")
