"""The command line without its work: formats, exit codes, and a help that lists what there is."""

import io
import json
import logging
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    EventLogEntry,
    GraphDefinition,
    MetadataValue,
    TableRecord,
    TableSchema,
    op,
)
from typer.main import get_command
from typer.testing import CliRunner

from dagster_project import cli, results
from dagster_project.commands import runs, setup
from dagster_project.commands.progress import Progress
from dagster_project.commands.runs import RunReport
from dagster_project.demo.backtest_columns import UndecidedColumnsError
from dagster_project.demo.backtest_import import Backtest
from dagster_project.errors import RunmartError
from dagster_project.settings import PROJECT_ROOT

CASES = Path(__file__).parents[2] / "cases"
OPTIONS = {
    "demo": {"--json"},
    "up": {"--port", "--watch"},
    "down": set(),
    "migrate": set(),
    "sync": {"--tenant", "--refresh", "--json"},
    "reconcile": {"--table", "--repair", "--json"},
    "verify": {"--sample", "--full", "--repair", "--json"},
    "refresh": {"--full", "--json"},
    "check": {"--plan", "--native", "--json"},
    "status": {"--tenant", "--json"},
    "explain": {"--key", "--column", "--rows", "--sql", "--json"},
    "url": {"--tenant", "--format"},
    "env": set(),
    "import": {"--experiment", "--models", "--history", "--season-length", "--json"},
    "source": set(),
    "tenant": set(),
}


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.0, "0.000"), (-0.25, "-0.250"), (1234.5678, "1,234.568")])
def test_number_has_three_decimals_and_a_dash_where_there_is_none(value: float | None, text: str) -> None:
    assert results._number(value) == text


def test_every_command_is_listed_with_its_options() -> None:
    runner = CliRunner()
    command: Any = get_command(cli.app)
    assert set(command.commands) == set(OPTIONS)
    shown = runner.invoke(cli.app, ["--help"]).output
    for name, options in OPTIONS.items():
        assert f" {name} " in shown
        result = runner.invoke(cli.app, [name, "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0
        assert {word for word in result.output.split() if word.startswith("--")} == {*options, "--help"}


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def runmart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Ended]:
    """`runmart("url nothing")` runs the command in this process."""

    def run(line: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["runmart", *line.split()])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nosuch", "no such command 'nosuch' (see runmart --help)"),
        ("staus", "no such command 'staus'. Did you mean 'status'? (see runmart --help)"),
        ("source scafold", "no such command 'scafold'. Did you mean 'scaffold'? (see runmart source --help)"),
        ("up --port 0", "invalid value for '--port': Input should be greater than or equal to 1 (see runmart up --help)"),
        ("up --port 70000", "invalid value for '--port': Input should be less than or equal to 65535 (see runmart up --help)"),
        ("url", "missing argument 'database' (see runmart url --help)"),
        ("url analyst --format odbc", "'odbc' is not one of 'libpq', 'sqlalchemy', 'jdbc' (see runmart url --help)"),
        ("import /nowhere.csv --experiment e", "file '/nowhere.csv' does not exist (see runmart import --help)"),
        ("import", "missing argument 'file' (see runmart import --help)"),
        ("sync --jsn", "no such option: --jsn (Possible options: --json) (see runmart sync --help)"),
        ("status extra", "got unexpected extra argument(s) (extra) (see runmart status --help)"),
        ("explain fct_runs", "missing option '--key' (see runmart explain --help)"),
        ("explain --key a=1", "missing argument 'mart' (see runmart explain --help)"),
        ("explain fct_runs --key a=1 --rows -1", "invalid value for '--rows': "),
    ],
)
def test_command_that_is_not_understood_is_one_line_and_code_2(runmart: Callable[[str], Ended], line: str, said: str) -> None:
    ended = runmart(line)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("line", ["", "source"])
def test_command_with_commands_of_its_own_lists_them(runmart: Callable[[str], Ended], line: str) -> None:
    alone, asked = runmart(line), runmart(f"{line} --help")
    assert alone.code == asked.code == 0
    assert "Commands" in alone.out
    assert alone.out.strip() == asked.out.strip()


def test_version_is_that_of_the_package(runmart: Callable[[str], Ended]) -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert runmart("--version") == Ended(0, f"runmart {project['version']}\n", "")


def test_failure_that_a_user_can_act_on_ends_with_one_line_and_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise RunmartError("the value [x] is wrong; set another one")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "error: the value [x] is wrong; set another one\n")


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "models"), [("\n", ("AutoARIMA",)), ("AutoARIMA,price\n", ("AutoARIMA", "price"))])
def test_a_terminal_is_asked_which_columns_are_models(monkeypatch: pytest.MonkeyPatch, typed: str, models: tuple[str, ...]) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    read: list[Backtest] = []
    monkeypatch.setattr(cli, "show_backtest", read.append)
    monkeypatch.setattr(setup, "find_databases", lambda: (_ for _ in ()).throw(RunmartError("nothing was written")))
    with pytest.raises(RunmartError, match="nothing was written"):
        cli.import_(CASES / "import_exogenous.csv", "mine")
    assert tuple(read[0].models) == models


@pytest.mark.parametrize("as_json", [False, True])
def test_without_a_terminal_an_import_asks_nothing_and_reads_no_setting(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("\n") if as_json else io.StringIO("\n"))
    monkeypatch.setattr(setup, "find_databases", lambda: pytest.fail("a database was asked for"))
    with pytest.raises(UndecidedColumnsError, match="the column price may be a forecast or not"):
        cli.import_(CASES / "import_exogenous.csv", "mine", as_json=as_json)


def evaluation(*, passed: bool, description: str | None = None) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=AssetKey(["shop", "orders"]),
        check_name="orders__key_is_unique",
        passed=passed,
        metadata={} if description else {"failing_rows": MetadataValue.int(3)},
        severity=AssetCheckSeverity.ERROR,
        description=description,
    )


def test_failed_check_is_told_as_json_with_code_and_as_text_with_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    report = RunReport("sync_shop", "r1", seconds=1.5, passed_checks=2, failed_checks=[evaluation(passed=False)], errors=["broken"])
    document = json.loads(json.dumps(results.as_dict(report)))
    assert document["failed_checks"] == [{"asset": "shop/orders", "check": "orders__key_is_unique", "severity": "ERROR"}]
    assert (document["run_id"], document["is_success"], document["errors"]) == ("r1", False, ["broken"])
    results.show_verdict(report)
    assert capsys.readouterr().out == (
        "sync_shop: 0 assets, 2 checks passed, 1 failed, 1.5 s\n  ERROR shop/orders orders__key_is_unique, failing rows: 3\n"
    )


def test_failed_check_that_counts_no_rows_is_told_with_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    said = "2 rows of 20 groups differ; run `runmart verify [mart] --repair`"
    failed = evaluation(passed=False, description=said)
    results.show_verdict(RunReport("verify", "r1", failed_checks=[failed]))
    assert " ".join(capsys.readouterr().out.split()).endswith(f"ERROR shop/orders orders__key_is_unique: {said}")


def event(kind: DagsterEventType, step: str = "step", **details: object) -> DagsterEvent:
    """As much of an event as its readers look at."""
    return cast("DagsterEvent", SimpleNamespace(event_type=kind, step_key=step, **details))


def materialized(*key: str, **metadata: MetadataValue[Any]) -> DagsterEvent:
    materialization = AssetMaterialization(AssetKey(key), metadata=metadata)
    return event(DagsterEventType.ASSET_MATERIALIZATION, step_materialization_data=SimpleNamespace(materialization=materialization))


def checked(*, passed: bool) -> DagsterEvent:
    return event(DagsterEventType.ASSET_CHECK_EVALUATION, asset_check_evaluation_data=evaluation(passed=passed))


@pytest.mark.parametrize(
    ("step", "events", "lines"),
    [
        (
            "raw_shop",
            [
                materialized("shop", "orders", rows_read=MetadataValue.int(999)),
                materialized("shop", "users", rows_read=MetadataValue.int(1)),
            ],
            ["  reading shop", "  synced shop: 2 tables, 1,000 rows read, 0.0 s"],
        ),
        (
            "shop_orders_expectations",
            [checked(passed=True), checked(passed=False), checked(passed=True)],
            ["  checked shop/orders: 2 passed, 1 failed, 0.0 s"],
        ),
        (
            "transformation",
            [materialized("staging", "stg_shop__orders"), materialized("analytics", "sales"), checked(passed=True)],
            ["  building what is new", "    built analytics/sales", "  built 2 models, checks on them: 1 passed, 0.0 s"],
        ),
        (
            "analytics__publication",
            [materialized("analytics", "publication", refresh_id=MetadataValue.int(11))],
            ["  published refresh 11, 0.0 s"],
        ),
        ("raw_shop", [], ["  reading shop", "  synced shop: nothing is new, 0.0 s"]),
        ("transformation", [], ["  building what is new", "  nothing to build, 0.0 s"]),
        ("shop_expectations", [], ["  shop expectations: nothing has changed, 0.0 s"]),
        (
            "analytics__publication",
            [materialized("analytics", "publication", refresh_id=MetadataValue.int(11), unchanged_since_refresh=MetadataValue.int(11))],
            ["  nothing to publish, refresh 11 stands, 0.0 s"],
        ),
    ],
)
def test_progress_names_what_each_step_did(
    step: str, events: list[DagsterEvent], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.commands.progress.time", SimpleNamespace(monotonic=lambda: 7.0))
    said: list[str] = []
    told = Progress(said.append)
    for each in (event(DagsterEventType.STEP_START, step), *events, event(DagsterEventType.STEP_SUCCESS, step)):
        told.show(each)
    assert said == lines


def test_progress_tells_retries_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagster_project.commands.progress.time", SimpleNamespace(monotonic=lambda: 7.0))
    said: list[str] = []
    told = Progress(said.append)
    told.show(event(DagsterEventType.STEP_START, "raw_shop"))
    told.show(event(DagsterEventType.STEP_UP_FOR_RETRY, "raw_shop", step_retry_data=SimpleNamespace(seconds_to_wait=2)))
    told.show(event(DagsterEventType.STEP_FAILURE, "raw_shop"))
    assert said == ["  reading shop", "  raw shop did not succeed; trying again in 2 s", "  raw shop failed, 0.0 s"]


def logged(level: int, step: str, message: str, dagster_event: DagsterEvent | None = None) -> EventLogEntry:
    """As much of a line of a run's log as its readers look at."""
    return cast("EventLogEntry", SimpleNamespace(level=level, step_key=step, user_message=message, dagster_event=dagster_event))


def test_progress_passes_on_what_a_sync_logs() -> None:
    said: list[str] = []
    told = Progress(said.append)
    told.log(logged(logging.INFO, "raw_shop", "orders: about 40 % copied"))
    told.log(logged(logging.WARNING, "raw_shop", "orders: a new column"))
    told.log(logged(logging.DEBUG, "raw_shop", "a detail"))
    told.log(logged(logging.INFO, "transformation", "what dbt says"))
    told.log(logged(logging.INFO, "raw_shop", "an event", event(DagsterEventType.STEP_START)))
    assert said == ["    orders: about 40 % copied", "    warning: orders: a new column"]


def test_progress_says_that_a_step_waits() -> None:
    said: list[str] = []
    told = Progress(said.append)
    told.show(event(DagsterEventType.ENGINE_EVENT, "raw_shop", engine_event_data=SimpleNamespace(metadata={"pool": "sync_shop"})))
    told.show(event(DagsterEventType.ENGINE_EVENT, "raw_shop", engine_event_data=SimpleNamespace(metadata={"pid": "1"})))
    assert said == ["  raw shop waits for the run before it in the queue"]


def reconciled(**counts: int) -> RunReport:
    figures = {"rows_lost": 0, "rows_extra": 0, "rows_stale": 0, "rows_repaired": 0, **counts}
    metadata = {"rows_compared": 50_000_000, **figures, "rows_read": 1_234_567, "bytes_read": 45_000_000, "seconds": 12.5}
    return RunReport("reconcile_shop", "r1", assets={"shop/orders": {f"reconcile_{name}": value for name, value in metadata.items()}})


def test_findings_have_a_total_and_name_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    results.show_findings(reconciled(rows_lost=1, rows_stale=2))
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines() if "50,000,000" in line]
    assert rows == [[first, "50,000,000", "1", "0", "2", "0", "1,234,567", "45.00", "12.50"] for first in ("orders", "total")]
    assert "error: raw_shop differs from its source in 3 rows, which `runmart reconcile shop --repair` repairs" in shown.err


def test_findings_that_are_repaired_are_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    results.show_findings(reconciled(rows_lost=1, rows_repaired=1))
    assert capsys.readouterr().err == ""


def test_run_that_did_not_reconcile_has_no_findings(capsys: pytest.CaptureFixture[str]) -> None:
    results.show_findings(RunReport("sync_shop", "r1", assets={"shop/orders": {"rows_read": 1}}))
    assert capsys.readouterr() == ("", "")


def test_report_keeps_what_json_can_hold() -> None:
    report = RunReport("refresh", "r1")
    table = MetadataValue.table([TableRecord({"mart": "sales", "rows": 2})])
    runs._note(
        report,
        materialized(
            "analytics", "publication", rows=table, marts=MetadataValue.int(1), schema=MetadataValue.table_schema(TableSchema([]))
        ),
    )
    assert json.loads(json.dumps(report.assets)) == {"analytics/publication": {"rows": [{"mart": "sales", "rows": 2}], "marts": 1}}


def test_interrupted_run_is_told_in_words() -> None:
    @op
    def interrupted() -> None:
        raise DagsterExecutionInterruptedError

    report = RunReport("refresh", "r1")
    with DagsterInstance.ephemeral() as instance:
        with pytest.raises(DagsterExecutionInterruptedError):
            GraphDefinition("refresh", node_defs=[interrupted]).execute_in_process(instance=instance)
        (run,) = instance.get_runs()
        for entry in instance.all_logs(run.run_id):
            if entry.dagster_event:
                runs._note(report, entry.dagster_event)
    assert report.errors == ["the run was interrupted"]
