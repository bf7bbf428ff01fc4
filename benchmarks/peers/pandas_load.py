"""Peer: pandas `read_sql` in chunks, each written with `to_sql`.

Arguments: source URL, target URL, `multi` for that method of `to_sql` instead of its default. Prints what it cost as JSON.
"""

import sys

import pandas as pd
from sqlalchemy import JSON, create_engine, text

from benchmarks.peers.cost import Cost

# Rows at a time; with `multi` they make one statement, and larger ones take longer to put together than they save.
_CHUNK = 1_000


def main(source_url: str, target_url: str, is_multi: bool) -> None:
    """Load the table `metrics` once."""
    cost = Cost()
    source, target = (create_engine(url.replace("postgresql:", "postgresql+psycopg2:")) for url in (source_url, target_url))
    with source.connect().execution_options(stream_results=True) as reading, target.begin() as writing:
        for chunk in pd.read_sql(text("select * from metrics"), reading, chunksize=_CHUNK):
            chunk.to_sql(
                "metrics",
                writing,
                if_exists="append",
                index=False,
                method="multi" if is_multi else None,
                dtype={"metadata": JSON},
            )
    cost.print()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], is_multi="multi" in sys.argv[3:])
