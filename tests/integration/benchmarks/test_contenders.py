"""The pipe that first loads are held against must end where Runmart ends, or the ratio says nothing."""

from benchmarks import contenders, metrics_table
from benchmarks.servers import execute, server_pair

_COLUMNS = """
    select attname, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped order by attname
"""
_INDEXES = """
    select indisprimary, array_to_string(array(
        select pg_get_indexdef(indexrelid, position, false) from generate_series(1, indnatts) as position order by position
    ), ', '), pg_get_expr(indpred, indrelid)
    from pg_index where indrelid = '{table}'::regclass order by 1, 2, 3
"""


def test_pipe_ends_with_the_columns_and_the_indexes_of_a_raw_table() -> None:
    contract = metrics_table.contract("horizon")
    with server_pair() as servers:
        source_url, warehouse_url = servers.source.new_database(metrics_table.SYSTEM), servers.warehouse.new_database("warehouse")
        metrics_table.create(source_url, 100)
        contenders.ours(servers, contract).load(source_url, warehouse_url)
        contenders.pipe(servers, contract).load(source_url, warehouse_url)
        raw, piped = f"{contract.raw_schema}.{metrics_table.TABLE}", "public.piped"
        for what in (_COLUMNS, _INDEXES):
            assert execute(warehouse_url, what.format(table=piped)) == execute(warehouse_url, what.format(table=raw))
