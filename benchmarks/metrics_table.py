"""The source table of the benchmarks: `metrics` of the forecast tracking database, at any size, and changes to it.

Belongs here: rows, the same at every run, and the contract that reads them. Does not belong here: what copies them.
"""

from typing import Literal

from benchmarks.servers import execute
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.loading import load_contract
from dagster_project.settings import SOURCES_ROOT

SYSTEM = "forecast_tracking"
TABLE = "metrics"

_RUNS = 1000

_PARENTS = f"""
insert into experiments (experiment_name) values ('benchmark');
insert into runs (run_uuid, experiment_id, run_name, run_fingerprint)
select md5(number::text)::uuid, 1, 'run ' || number, md5(number::text) from generate_series(1, {_RUNS}) as number;
insert into models (model_uuid, run_id, model_name, model_type, framework, model_config, model_file_path)
select md5(number::text)::uuid, number, 'model ' || number, 'arima', 'statsmodels', '{{}}', '/models/' || number
from generate_series(1, {_RUNS}) as number;
"""

# Values with all their digits, as trainings produce them: text costs more to write and read for these than for round ones.
_ROWS = f"""
insert into metrics (
    metric_id, run_id, model_id, metric_name, metric_value, metric_step, dataset_type, evaluation_context, timestamp, metadata
)
select
    number, 1 + number % {_RUNS}, 1 + number % {_RUNS}, (array['mae', 'rmse', 'smape', 'mase', 'loss'])[1 + number % 5],
    10 * abs(sin(number)), number / {_RUNS} % 100, (array['train', 'validation', 'test'])[1 + number % 3],
    case when number % 5 > 0 then 'backtest_fold_' || number % 5 end,
    timestamp '2025-01-01' + number * interval '1.7 seconds',
    case when number % 4 = 0 then jsonb_build_object('epoch', number % 100, 'learning_rate', 0.001) else jsonb_build_object() end
from generate_series({{first}}, {{last}}) as number
"""

# The rows stand for ones that were checked when they were written: 20 million look-ups of parents would only cost time here.
_UNCHECKED = "set session_replication_role = replica"


def create(url: str, rows: int) -> None:
    """Fill the migrated, empty source database at `url`.

    The secondary indexes of the table are dropped: nothing that is measured reads them, and they would make filling ten times slower.
    """
    for (index,) in execute(url, f"select indexrelid::regclass from pg_index where indrelid = '{TABLE}'::regclass and not indisprimary"):
        execute(url, f"drop index {index}")
    execute(url, _PARENTS)
    execute(url, f"{_UNCHECKED}; {_ROWS.format(first=1, last=rows)}")
    execute(url, f"vacuum (analyze) {TABLE}")


def can_change(rows: int, changes: int) -> bool:
    """Whether a table of that many rows has enough to update and delete for that many changes."""
    return changes * 4 // 10 <= rows


def change(url: str, changes: int, seed: int) -> None:
    """Change rows: 60% inserts, 30% updates in place that touch no timestamp, 10% deletes, these two at random places."""
    inserts, updates = changes * 6 // 10, changes * 3 // 10
    deletes = changes - inserts - updates
    execute(
        url,
        f"""
        {_UNCHECKED};
        set work_mem = '256MB';
        create temporary table chosen as
        select metric_id, row_number() over () <= {deletes} as is_deleted
        from (select metric_id from {TABLE} order by hashint8extended(metric_id, {seed}) limit {updates + deletes});
        analyze chosen;
        delete from {TABLE} using chosen where {TABLE}.metric_id = chosen.metric_id and is_deleted;
        update {TABLE} set metric_value = metric_value + 1 from chosen where {TABLE}.metric_id = chosen.metric_id and not is_deleted;
        """,
    )
    ((last,),) = execute(url, f"select max(metric_id) from {TABLE}")
    execute(url, f"{_UNCHECKED}; {_ROWS.format(first=last + 1, last=last + inserts)}")
    # Whoever first reads what was changed writes its pages again (hint bits); none of those that take turns shall pay it for the others.
    execute(url, f"select count(*) from {TABLE}")


def contract(capture: Literal["horizon", "cdc"]) -> SystemContract:
    """The contract of forecast tracking, cut down to this table."""
    whole = load_contract(SOURCES_ROOT / SYSTEM / "defs.yaml")
    return whole.model_copy(update={"capture": capture, "tables": {TABLE: whole.tables[TABLE]}})


def columns() -> tuple[str, ...]:
    """What is read: the declared columns."""
    return contract("horizon").tables[TABLE].columns
