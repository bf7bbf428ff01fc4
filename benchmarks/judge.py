"""How many rows of a copy are wrong, found without the code that made it.

Belongs here: comparing source and copy. Does not belong here: contenders and clocks.
"""

from benchmarks import metrics_table
from benchmarks.psql import pipe
from benchmarks.servers import execute


def wrong_rows(source_url: str, target_url: str, live_rows: str) -> int:
    """Rows that the copy lacks, has too many, or has with another value.

    Args:
        source_url: The source.
        target_url: Database of the copy.
        live_rows: What to select from there, such as `raw.metrics where _deleted_at is null`.
    """
    execute(target_url, "create unlogged table truth (metric_id bigint, metric_value double precision)")
    pipe(source_url, f"select metric_id, metric_value from {metrics_table.TABLE}", target_url, "truth")
    ((wrong,),) = execute(
        target_url,
        f"""
        select count(*) from truth full join (select metric_id, metric_value from {live_rows}) as copy using (metric_id)
        where truth.metric_value is distinct from copy.metric_value
        """,
    )
    execute(target_url, "drop table truth")
    return int(wrong)
