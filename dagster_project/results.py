"""How the results of commands look in the terminal.

Belongs here: tables and lines of what a command found or did, and what `--json` prints of a run. Does not belong here: commands and their
options (`cli`), and where results come from (`commands/`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from dagster_project import words
from dagster_project.contracts.table import raw_schema
from dagster_project.terminal import new_table, out, print_error

if TYPE_CHECKING:
    from dagster_project.commands.leaders import Leader
    from dagster_project.commands.reconciling import Finding
    from dagster_project.commands.runs import RunReport
    from dagster_project.commands.status import SystemStatus
    from dagster_project.commands.tenants import TenantReport
    from dagster_project.marts.explanation import Explanation, SourceRows
    from dagster_project.marts.refreshes import Refresh

PUBLICATION = "analytics/publication"


def as_dict(report: "RunReport") -> dict[str, Any]:
    """A run as `--json` prints it."""
    failed = [
        {"asset": check.asset_key.to_user_string(), "check": check.check_name, "severity": check.severity.value}
        for check in report.failed_checks
    ]
    return {**vars(report), "failed_checks": failed}


def tenant_as_dict(report: "TenantReport") -> dict[str, Any]:
    """What came of a tenant, as `--json` prints it."""
    return {**vars(report), "run": as_dict(report.run) if report.run else None}


def show_tenants(reports: "Sequence[TenantReport]") -> None:
    """What came of each tenant."""
    table = new_table("tenant", "", "rows read", "checks failed", "seconds")
    for report in reports:
        rows = sum(int(str(said.get("rows_read", 0))) for said in report.run.assets.values()) if report.run else 0
        failed = len(report.run.failed_checks) if report.run else 0
        table.add_row(report.tenant, report.state, f"{rows:,}", f"{failed:,}", f"{report.seconds:.1f}")
    if reports:
        out.print(table)


def show_rows(report: "RunReport") -> None:
    """Rows that a sync read and wrote, by table."""
    raw = {key: data for key, data in sorted(report.assets.items()) if "rows_read" in data}
    for system in dict.fromkeys(key.partition("/")[0] for key in raw):
        table = new_table(raw_schema(system), "rows", "inserted", "updated", "deleted", "seconds")
        for key, data in raw.items():
            if key.startswith(f"{system}/"):
                counts = [f"{data[name]:,}" for name in ("dagster/row_count", "rows_inserted", "rows_updated", "rows_deleted")]
                table.add_row(key.partition("/")[2], *counts, f"{data['seconds']:.2f}")
        out.print(table)


def show_nothing_new(current: "Refresh") -> None:
    """That the marts are up to date, and as of when."""
    batches = ", ".join(f"batch {batch_id} of {system}" for system, batch_id in sorted(current.batches.items()))
    age = words.duration((datetime.now(UTC) - current.published_at).total_seconds())
    out.print(f"nothing is new: refresh {current.refresh_id}, published {age} ago, reflects {batches}")


def show_published_rows(report: "RunReport") -> None:
    """Rows that a refresh wrote, of the marts in which any differed."""
    published = report.assets[PUBLICATION]
    entries = published["rows"]
    rows = [row for row in entries if row["inserted"] or row["deleted"]] if isinstance(entries, list) else []
    table = new_table(f"refresh {published['refresh_id']}", "rows written", "rows removed")
    for row in rows:
        table.add_row(row["mart"], f"{row['inserted']:,}", f"{row['deleted']:,}")
    out.print(table if rows else "no row of a mart differs from what was published before")
    held = published.get("held_back")
    if isinstance(held, list):
        table = new_table("held back", "since", "by", "reason")
        for row in held:
            table.add_row(row["mart"], row["since"], row["by"], escape(row["reason"]))
        out.print(table)


def show_findings(report: "RunReport") -> None:
    """What a run that reconciled found; nothing if it ended before, or did not reconcile."""
    from dagster_project.commands.reconciling import findings  # noqa: PLC0415

    found = findings(report)
    if not found:
        return
    system = report.job.removeprefix("reconcile_")
    table = new_table(raw_schema(system), "compared", "lost", "extra", "stale", "repaired", "read", "MB", "seconds")
    for one in found:
        table.add_row(one.table, *_finding_cells([one]))
    table.add_section()
    table.add_row("total", *_finding_cells(found))
    out.print(table)
    left = sum(one.rows_left for one in found)
    if left:
        print_error(
            f"{raw_schema(system)} differs from its source in {words.counted(left, 'row')}, which "
            f"`runmart reconcile {system} --repair` repairs; ops.repairs has the keys"
        )


def _finding_cells(found: list["Finding"]) -> list[str]:
    names = ("rows_compared", "rows_lost", "rows_extra", "rows_stale", "rows_repaired", "rows_read")
    counts = [f"{sum(getattr(one, name) for one in found):,}" for name in names]
    return [*counts, f"{sum(one.bytes_read for one in found) / 10**6:,.2f}", f"{sum(one.seconds for one in found):.2f}"]


def show_system(system: "SystemStatus") -> None:
    """How far raw is behind a source, and the state of its tables."""
    if system.age_seconds is None:
        out.print(f"[bold]{system.system}[/]: its first sync has not ended; `runmart sync {system.system}` goes on with the other tables")
    else:
        out.print(
            f"[bold]{system.system}[/]: batch {system.batch_id}, synced {words.duration(system.age_seconds)} ago, capture {system.capture}"
        )
    # Those that stand still are farther behind than the others, and are told below.
    newest = max(system.tables, key=lambda table: table.batch_id, default=None)
    if newest is None or newest.behind_seconds is None:
        out.print(f"  behind its source: - ({system.source_note or 'no table was synced yet'})", soft_wrap=True, markup=False)
    else:
        out.print(
            f"  behind its source: {words.duration(newest.behind_seconds)}, {newest.behind_transactions:,} transactions of its server"
        )
    last = system.last_reconcile
    if last is None:
        out.print(f"  last reconciled: never; `runmart reconcile {system.system}` compares every row")
    else:
        left = f", {last.rows_left:,} of them not repaired" if last.rows_left else ""
        out.print(f"  last reconciled: {words.duration(last.age_seconds)} ago, {last.rows_differing:,} rows differed{left}")
    table = new_table(raw_schema(system.system), "rows", "last sync", "rows read", "seconds", "checks")
    for row in system.tables:
        verdict = f"[red]{row.checks_failed} failed[/]" if row.checks_failed else f"{row.checks_passed} passed"
        cost = ("-", "-") if row.rows_read is None else (f"{row.rows_read:,}", f"{row.seconds:.2f}")
        table.add_row(row.table, f"{row.rows:,}", row.found_by, *cost, verdict)
    if system.tables:
        out.print(table)
    for one in system.standing:
        if one.line:
            out.print(f"[red]{one.table}[/]", one.line.replace("[", r"\["), soft_wrap=True)


def show_leaders(leaders: "list[Leader]") -> None:
    """The best models."""
    table = new_table("best models", "experiment", "mae", "skill*", "series x cutoffs")
    for leader in leaders:
        table.add_row(leader.model, leader.experiment, _number(leader.mae), _number(leader.skill), str(leader.common_pairs))
    out.print(table)
    out.print("* share of seasonal naive's mean absolute error that the model saves, over the series and cutoffs that all models have\n")


def show_where_to_look(data_docs: Path) -> None:
    """What somebody may do who has just seen the demo."""
    out.print(
        "\nWhere to look next\n"
        "  runmart up                       the Dagster UI: assets, runs, checks\n"
        '  psql "$(runmart url analyst)"    the marts, such as analytics.model_leaderboard\n'
        "  runmart status                   rows, age and checks of every raw table\n"
        f"  the validations as pages: {data_docs}",
        markup=False,
        soft_wrap=True,
    )


def show_explanation(explanation: "Explanation", with_sql: bool) -> None:
    """Whether the rows behind a row of a mart make it, then the row, the rows behind it, and on request the SQL between them."""
    out.print(_proof(explanation), style="red" if explanation.is_wrong else None, markup=False, soft_wrap=True)
    _show_mart_row(explanation)
    for source in explanation.sources:
        _show_source_rows(source)
    if with_sql:
        _show_sql(explanation)
    else:
        out.print(f"--sql shows the SQL that makes the row of them ({explanation.model})", markup=False, soft_wrap=True)


def _show_mart_row(explanation: "Explanation") -> None:
    shown = [*explanation.grain, explanation.column, "refreshed_at", "source_batch_id"] if explanation.column else explanation.row
    table = new_table(f"analytics.{explanation.mart}", "value")
    for name in dict.fromkeys(name for name in shown if name in explanation.row):
        table.add_row(name, _text(explanation.row[name]))
    out.print(table)


def _show_source_rows(source: "SourceRows") -> None:
    if source.batch_ids is None or source.synced_at is None:
        out.print(f"[bold]{source.table}[/]: no rows\n")
        return
    batches = _range("batch", "batches", *map(str, source.batch_ids))
    synced = _range("synced", "synced", *(f"{time:%Y-%m-%d %H:%M:%S}" for time in source.synced_at))
    out.print(f"[bold]{source.table}[/]: {words.counted(source.count, 'row')}, {batches}, {synced} UTC", soft_wrap=True)
    table = new_table(source.key[0], *source.key[1:], "batch", "synced at")
    for row in source.rows:
        table.add_row(*map(_text, row.key), str(row.batch_id), f"{row.synced_at:%Y-%m-%d %H:%M:%S}")
    if source.rows:
        left = source.count - len(source.rows)
        table.caption = f"and {left:,} more" if left else None
        out.print(table)


def _range(one: str, several: str, first: str, last: str) -> str:
    return f"{one} {first}" if first == last else f"{several} {first} to {last}"


def _show_sql(explanation: "Explanation") -> None:
    out.print(f"[bold]{explanation.model}[/], compiled:\n")
    out.print(explanation.sql, markup=False, soft_wrap=True)
    if explanation.models_read:
        out.print("\nit reads, in this order:")
    for model in explanation.models_read:
        out.print(f"  {model}", soft_wrap=True)


def _proof(explanation: "Explanation") -> str:
    """Whether the rows behind make what is shown, in one line."""
    count, recomputed = explanation.rows_behind, explanation.recomputed
    of_rows = f"recomputed from {'this 1 row' if count == 1 else f'these {count:,} rows'}"
    if explanation.has_moved_on:
        later = sum(source.later for source in explanation.sources)
        what = (
            f"{later:,} of these rows {'is' if later == 1 else 'are'} newer"
            if later
            else "rows that were behind this one have gone or moved"
        )
        return f"raw has moved on since refresh {explanation.refresh_id}: {what}; `runmart refresh` brings the mart up to date"
    if recomputed is None:
        return f"{of_rows}: there is no such row, unlike what is shown"
    if explanation.differing:
        values = (f"{name} = {_text(recomputed[name])}, not {_text(explanation.row[name])} as shown" for name in explanation.differing)
        return f"{of_rows}: {'; '.join(values)}"
    if explanation.column:
        return f"{of_rows}: {explanation.column} = {_text(explanation.row[explanation.column])}, as shown"
    return f"{of_rows}: all {len(recomputed)} columns as shown"


def _text(value: str | None) -> str:
    return "null" if value is None else value


def show_verdict(report: "RunReport") -> None:
    """What a run came to, in a line, and the checks that failed."""
    assets, passed = words.counted(report.changed, "asset"), words.counted(report.passed_checks, "check")
    is_news = report.changed or report.passed_checks or report.failed_checks
    told = f"{assets}, {passed} passed, {len(report.failed_checks)} failed" if is_news else "nothing has changed"
    out.print(f"{report.job}: {told}, {report.seconds} s")
    for one in report.failed_checks:
        rows = one.metadata.get("failing_rows")
        detail = f", failing rows: {rows.value}" if rows else f": {one.description}" if one.description else ""
        out.print(f"  [red]{one.severity.value}[/] {one.asset_key.to_user_string()} {one.check_name}{escape(detail)}")
    for asset, number in report.in_quarantine.items():
        out.print(f"  in quarantine: {words.counted(number, 'row')} of {asset}; quality.quarantine says why", soft_wrap=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}"
