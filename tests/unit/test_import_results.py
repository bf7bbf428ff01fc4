"""What an import prints before it writes: each column with what it is taken for, and whatever is left with the reason."""

import json
from pathlib import Path

import pandas as pd
import pytest

from dagster_project import import_results, terminal
from dagster_project.demo.backtest_import import Choices, ImportSummary, read_backtest

CASES = Path(__file__).parents[1] / "cases"


def shown(capsys: pytest.CaptureFixture[str], file: Path, choices: Choices | None = None) -> list[str]:
    import_results.show_backtest(read_backtest(file, choices))
    return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]


def test_every_column_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, CASES / "import_quantiles.csv") == [
        "import_quantiles.csv: 2 rows",
        "column        taken for",
        "unique_id     series",
        "ds            time of the forecast",
        "cutoff        last time that the model saw",
        "y             actual value",
        "TimeGPT       model",
        "TimeGPT-q-10  bounds of TimeGPT at 80%",
        "TimeGPT-q-90",
        "NHITS         model",
        "NHITS_ql0.1   left: its mirror is missing, the quantile 0.9",
        "mase and rmsse: empty, s1 has no y at its cutoff 2025-12-31; --history FILE gives the scale",
    ]


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("exogenous", "price      left: not named by --models"),
        ("exogenous", "index      left: row numbers of a frame"),
        ("zone", "ds and cutoff are days with a zone; the zone is dropped, the calendar day stays"),
        ("huge", "2 forecasts are stored but not scored: forecast or actual value is beyond 1e100; first Naive in row 1"),
    ],
)
def test_what_is_left_or_changed_is_told(capsys: pytest.CaptureFixture[str], case: str, line: str) -> None:
    assert line in shown(capsys, CASES / f"import_{case}.csv", Choices("AutoARIMA" if case == "exogenous" else None))


def test_a_zone_that_shifts_and_integers_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "backtest.csv"
    path.write_text("unique_id,ds,cutoff,Naive\na,2026-02-01T01:00+09:00,2026-02-01T00:00+09:00,1\n", encoding="utf-8")
    lines = shown(capsys, path)
    assert "ds and cutoff are times with a zone; they are stored in UTC, from 2026-01-31 15:00:00 to 2026-01-31 16:00:00" in lines
    assert "mase and rmsse: empty, there is no y; --history FILE gives the scale" in lines
    path.write_text("unique_id,ds,cutoff,Naive\na,11,10,1\n", encoding="utf-8")
    assert "ds and cutoff are integers, stored as days since 1970-01-01: 10 is 1970-01-11, 11 is 1970-01-12" in shown(capsys, path)


def test_where_a_scale_comes_from_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    history = pd.DataFrame({"unique_id": "s1", "ds": pd.date_range(end="2025-12-31", periods=30, freq="ME"), "y": range(30)})
    history.to_csv(tmp_path / "history.csv", index=False)
    lines = shown(capsys, CASES / "import_quantiles.csv", Choices(history=tmp_path / "history.csv"))
    assert lines[-1] == "mase and rmsse: scaled by history.csv, season length 12, for 1 of 1 cutoffs"


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int) -> None:
    monkeypatch.setattr(terminal.out, "width", width)
    name = "SeasonalExponentialSmoothingOptimized"
    path = tmp_path / "backtest.csv"
    columns = f"{name},{name}-lo-97.5,{name}-hi-97.5,{'regressor' * 9}"
    path.write_text(f"unique_id,ds,cutoff,{columns}\na,11,10,1,0,2,9\n", encoding="utf-8")
    lines = shown(capsys, path, Choices(name))
    table = lines[1 : lines.index(next(line for line in lines if line.startswith("ds and cutoff are")))]
    assert all(len(line) < width for line in table)
    assert any("97.5%" in line for line in table)


def test_what_was_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import_results.show_import(ImportSummary(27, ("SeasonalNaive", "[x]"), 8000, 0, is_new=True))
    assert capsys.readouterr().out == "tracked as run 27: 8,000 forecasts of SeasonalNaive, [x]\nnext: runmart sync && runmart refresh\n"
    import_results.show_import(ImportSummary(27, ("SeasonalNaive",), 0, 0, is_new=False))
    assert capsys.readouterr().out.startswith("nothing to do: the experiment has this file already, as run 27\n")


def test_json_says_the_same() -> None:
    document = json.loads(json.dumps(import_results.backtest_as_dict(read_backtest(CASES / "import_quantiles.csv"))))
    assert document["columns"]["TimeGPT"] == {
        "point": "TimeGPT",
        "bounds": [{"level": 0.8, "lower": "TimeGPT-q-10", "upper": "TimeGPT-q-90"}],
    }
    assert document["columns_left"] == {"NHITS_ql0.1": "its mirror is missing, the quantile 0.9"}
    assert document["scales"] == {"known": 0, "wanted": 1, "season_lengths": [], "first_missing": "s1 has no y at its cutoff 2025-12-31"}
