"""Peer: ADBC, Arrow's database drivers, from a query to `adbc_ingest`.

Arguments: source URL, target URL. Prints what it cost as JSON.
"""

import sys

from adbc_driver_postgresql import dbapi

from benchmarks.peers.cost import Cost


def main(source_url: str, target_url: str) -> None:
    """Load the table `metrics` once."""
    cost = Cost()
    with dbapi.connect(source_url) as source, dbapi.connect(target_url) as target:
        with source.cursor() as reading, target.cursor() as writing:
            reading.execute("select * from metrics")
            writing.adbc_ingest("metrics", reading.fetch_record_batch(), mode="create")
        target.commit()
    cost.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
