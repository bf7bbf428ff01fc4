"""The `runmart` command in processes of its own, on the embedded server of one fresh home: what a user types, and what is left afterwards.

The tests follow each other as a user's first hour does; each starts from what those before it left.
"""

import shlex
import signal
from contextlib import ExitStack

import psutil
import pytest

from dagster_project.contracts.loading import shared_contracts
from dagster_project.resources.share import namespaces, share_of
from dagster_project.warehouse import DEFAULT
from tests.dbt_manifest import marts_of, models_of, shared_manifest
from tests.e2e.shell import COUNTED, DEADLINE_SECONDS, SYSTEM, User, listens, locked, says, started, up
from tests.waiting import until

EXPERIMENT = "holiday demand"
MARTS = [*marts_of(shared_manifest())]


def expected_assets() -> set[tuple[str, ...]]:
    """Every table that a source declares, every dbt model, the publication of each warehouse, and what tenants hand over."""
    found = set()
    for namespace in namespaces():
        share = share_of(namespace)
        found |= {(*namespace.path(system, table),) for system, contract in share.contracts.items() for table in contract.tables}
        found |= {(*namespace.path(model["schema"], name),) for name, model in models_of({**share.manifest}).items()}
        found |= {(*namespace.path("analytics", name),) for name in ("publication", *(["handover"] if namespace.tenants_of else []))}
    return found


def is_left_clean(user: User, port: int) -> bool:
    return not user.processes() and not listens(port) and not (user.home / "postgres" / "postmaster.pid").exists()


def test_up_serves_every_asset_with_healthy_daemons_and_leaves_nothing_after_term(user: User) -> None:
    with up(user) as running:
        running.says(f"http://127.0.0.1:{running.port}")
        locations = running.asks("{ locationStatusesOrError { ... on WorkspaceLocationStatusEntries { entries { name loadStatus } } } }")
        assert locations["locationStatusesOrError"]["entries"] == [{"name": "runmart", "loadStatus": "LOADED"}]
        nodes = running.asks("{ assetNodes { assetKey { path } isMaterializable } }")["assetNodes"]
        assert {tuple(node["assetKey"]["path"]) for node in nodes if node["isMaterializable"]} == expected_assets()

        def all_are_healthy() -> bool:
            query = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"
            statuses = running.asks(query)["instance"]["daemonHealth"]["allDaemonStatuses"]
            required = {status["daemonType"]: status["healthy"] for status in statuses if status["required"]}
            return {"SCHEDULER", "SENSOR", "ASSET"} <= set(required) and all(required.values())

        until(all_are_healthy, DEADLINE_SECONDS, pause=0.2)
        assert set(user.processes().values()) >= {"runmart", "dagster-webserv", "dagster-daemon", "postgres"}
        running.process.send_signal(signal.SIGTERM)
        assert running.ends() == (0, "stopped\n")
        assert is_left_clean(user, running.port)


def test_interrupt_while_it_starts_leaves_nothing(user: User) -> None:
    with up(user) as running:
        running.says("starting code server")
        until(lambda: "dagster" in user.processes().values(), DEADLINE_SECONDS, pause=0.2)
        running.process.send_signal(signal.SIGINT)
        assert running.ends() == (0, "stopped\n")
        assert is_left_clean(user, running.port)


def test_up_ends_with_one_line_when_the_webserver_is_killed(user: User) -> None:
    with up(user) as running:
        running.says("Dagster UI")
        webserver = next(pid for pid, name in user.processes().items() if name == "dagster-webserv")
        psutil.Process(webserver).kill()
        log = user.home / "logs" / "webserver.log"
        assert running.ends() == (1, f"error: the webserver ended with code -9; its log is {log}\n")
        assert is_left_clean(user, running.port)


def test_import_and_sync_bring_a_backtest_to_raw(user: User) -> None:
    imported = user.gets_json(f"runmart import {shlex.quote(str(user.file))} --experiment {shlex.quote(EXPERIMENT)} --json")
    written = {name: imported[name] for name in ("run_id", "models", "predictions", "skipped", "is_new")}
    assert written == {"run_id": 1, "models": ["Guess", "SeasonalNaive"], "predictions": 2 * len(user.frame), "skipped": 0, "is_new": True}
    assert imported["columns"]["Guess"] == {"point": "Guess", "bounds": [{"level": 0.9, "lower": "Guess-lo-90", "upper": "Guess-hi-90"}]}
    reports = {report["job"].removeprefix("sync_"): report for report in user.gets_json("runmart sync --json")}
    assert reports.keys() == shared_contracts().keys()
    for report in reports.values():
        assert (report["is_success"], report["failed_checks"], report["errors"]) == (True, [], [])
        assert report["passed_checks"] > 0
    assert reports[SYSTEM]["assets"][f"{SYSTEM}/predictions"]["rows_inserted"] == 2 * len(user.frame)


def test_dbt_by_itself_builds_what_a_refresh_then_publishes(user: User) -> None:
    listed = f"select count(*) from analytics_next.model_leaderboard where experiment_name = '{EXPERIMENT}'"
    said = user.gets('eval "$(runmart env)" && cd dbt_project && dbt build --exclude-resource-type unit_test')
    assert "Analysts see nothing of them: `runmart refresh` builds, checks and publishes." in said
    assert user.queries("warehouse", listed) == ["2"]
    assert user.queries("warehouse", "select to_regclass('analytics.model_leaderboard') is null") == ["t"]
    user.gets("runmart refresh")
    errors = {"Guess": (user.frame["Guess"] - user.frame["y"]).abs().mean(), "SeasonalNaive": 4.0}
    board = user.queries(
        "analyst",
        f"select model_type, round(cast(mae as numeric), 9), round(cast(skill as numeric), 9) from analytics.model_leaderboard "
        f"where experiment_name = '{EXPERIMENT}' order by model_rank",
    )
    assert board == [f"{model}|{mae:.9f}|{1 - mae / 4.0:.9f}" for model, mae in errors.items()]


def test_every_command_again_changes_no_row(user: User) -> None:
    before = user.published()
    assert before["forecast_accuracy"]
    again = user.gets_json(f"runmart import {shlex.quote(str(user.file))} --experiment {shlex.quote(EXPERIMENT)} --json")
    assert (again["predictions"], again["is_new"]) == (0, False)
    for report in user.gets_json("runmart sync --json"):
        assert (report["is_success"], report["assets"]) == (True, {})
    rebuilt = user.gets_json("runmart refresh --full --json")
    assert rebuilt["is_success"]
    rows = {each["mart"]: (each["inserted"], each["deleted"]) for each in rebuilt["assets"]["analytics/publication"]["rows"]}
    assert rows == dict.fromkeys(COUNTED, (0, 0))
    assert {key.partition("/")[2] for key in rebuilt["assets"] if key.startswith("analytics/")} == {*MARTS, "publication"}
    current = user.gets_json("runmart refresh --json")
    assert current["is_success"]
    batches = user.queries("warehouse", "select system, max(batch_id) from ops.batches group by system")
    assert current["nothing_new_since"]["batches"] == {system: int(batch) for system, batch in (line.split("|") for line in batches)}
    assert user.published() == before


def test_reconcile_tells_and_repairs_rows_that_differ(user: User) -> None:
    tampered = f"update raw_{SYSTEM}.predictions set predicted_value = 0 where prediction_id in (1, 2) returning prediction_id"
    assert user.queries("warehouse", tampered) == ["1", "2"]
    done = user.types(f"runmart reconcile {SYSTEM} --table predictions")
    assert done.returncode == 1
    assert f"    warning: raw_{SYSTEM}.predictions differed from its source: 0 rows lost, 0 extra, 2 stale; not repaired" in done.stderr
    assert f"error: raw_{SYSTEM} differs from its source in 2 rows, which `runmart reconcile {SYSTEM} --repair` repairs" in done.stderr
    (status,) = (each for each in user.gets_json("runmart status --json") if each["system"] == SYSTEM)
    assert (status["last_reconcile"]["rows_differing"], status["last_reconcile"]["rows_left"]) == (2, 2)

    (report,) = user.gets_json(f"runmart reconcile {SYSTEM} --table predictions --repair --json")
    (finding,) = report["findings"]
    assert {name: finding[name] for name in ("table", "rows_compared", "rows_lost", "rows_extra", "rows_stale", "rows_repaired")} == {
        "table": "predictions",
        "rows_compared": 2 * len(user.frame),
        "rows_lost": 0,
        "rows_extra": 0,
        "rows_stale": 2,
        "rows_repaired": 2,
    }
    columns = "prediction_id, predicted_value"
    raw = user.queries("warehouse", f"select {columns} from raw_{SYSTEM}.predictions where _deleted_at is null order by 1")
    assert raw == user.queries(SYSTEM, f"select {columns} from predictions order by 1")
    (status,) = (each for each in user.gets_json("runmart status --json") if each["system"] == SYSTEM)
    assert (status["last_reconcile"]["rows_differing"], status["last_reconcile"]["rows_left"]) == (2, 0)
    assert "last reconciled: " in user.gets("runmart status")


def test_row_that_fails_a_check_is_shown_until_it_is_mended(user: User) -> None:
    ((known,),) = [line.split("|") for line in user.queries(SYSTEM, "select predicted_value from predictions where prediction_id = 1")]
    user.queries(SYSTEM, "update predictions set predicted_value = 'NaN' where prediction_id = 1")
    told = user.gets(f"runmart sync {SYSTEM}")
    assert f"ERROR {SYSTEM}/predictions values_are_finite, failing rows: 1" in told
    assert f"in quarantine: 1 row of {SYSTEM}/predictions; quality.quarantine says why" in told
    assert user.types("runmart check").returncode == 1
    show = f"runmart check show {SYSTEM}/predictions values_are_finite"
    shown = user.gets_json(f"{show} --json")
    assert shown["failing_rows"] == 1
    assert [(row["observed"]["prediction_id"], row["batch_id"] is not None) for row in shown["rows"]] == [(1, True)]
    assert "NaN" in user.gets(show)

    user.queries(SYSTEM, f"update predictions set predicted_value = {known} where prediction_id = 1")
    user.gets(f"runmart sync {SYSTEM}")
    assert user.gets(show) == f"no row fails {SYSTEM}/predictions values_are_finite\n"
    unknown = user.types(f"runmart check show {SYSTEM}/predictions values_are_finit")
    assert unknown.returncode == 1
    assert f"error: there is no check 'values_are_finit' of {SYSTEM}/predictions; did you mean values_are_finite" in unknown.stderr


def test_great_expectations_agrees_with_every_verdict(user: User) -> None:
    planned = user.gets_json("runmart check --plan --json")
    assert {suite["suite"] for suite in planned} == {*share_of(DEFAULT).suites}
    report = user.gets_json("runmart check --native --json")
    assert (report["is_success"], report["passed_checks"], report["failed_checks"]) == (True, len(planned), [])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("nosuch", f"error: there is no system 'nosuch'; there are: {', '.join(sorted(shared_contracts()))}\n"),
        (f"{SYSTEM} --table runs --table nosuch", f"error: there is no table 'nosuch' in {SYSTEM}; there are: "),
    ],
)
def test_reconcile_of_something_unknown_is_one_line(user: User, arguments: str, line: str) -> None:
    done = user.types(f"runmart reconcile {arguments}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_sync_waits_for_another_one_and_goes_on_when_that_is_killed(user: User) -> None:
    with ExitStack() as stack:
        lock = stack.enter_context(ExitStack())
        lock.enter_context(locked(user, "runs"))
        first = stack.enter_context(started(user, "sync", SYSTEM))
        says(first, "reading")
        second = stack.enter_context(started(user, "sync", SYSTEM))
        says(second, "waiting for run")
        first.kill()
        says(second, "reading")
        lock.close()
        says(second, f"synced {SYSTEM}")


def test_databases_are_open_to_psql_as_who_they_are_for(user: User) -> None:
    who = "select current_database() || ' ' || current_user"
    assert [user.queries(name, who) for name in ("analyst", "warehouse", SYSTEM)] == [
        ["warehouse runmart_analyst"],
        ["warehouse postgres"],
        [f"{SYSTEM} postgres"],
    ]


def test_alembic_finds_databases_at_head(user: User) -> None:
    shown = user.gets(f'eval "$(runmart env)" && python -m migrations warehouse current && python -m migrations {SYSTEM} check')
    assert "(head)" in shown
    assert "No new upgrade operations detected" in shown


def test_down_stops_the_server_and_the_next_command_starts_it(user: User) -> None:
    assert "postgres" in user.processes().values()
    user.gets("runmart down")
    assert user.processes() == {}
    (status,) = (each for each in user.gets_json("runmart status --json") if each["system"] == SYSTEM)
    assert {table["table"]: table["rows"] for table in status["tables"]}["predictions"] == 2 * len(user.frame)
    assert "postgres" in user.processes().values()
