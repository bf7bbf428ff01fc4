"""Which versions of PostgreSQL can be used at all.

Belongs here: the oldest one, and what is said of an older one. Does not belong here: what single features need (`ingestion.publication`).
"""

OLDEST = 14


def refusal(server_version: int) -> str | None:
    """What is wrong with a server of this version, such as `runs PostgreSQL 13.14; 14 is the oldest that works`; None if nothing is.

    Args:
        server_version: As libpq gives it: 130014.
    """
    major, minor = divmod(server_version, 10_000)
    return None if major >= OLDEST else f"runs PostgreSQL {major}.{minor}; {OLDEST} is the oldest that works"
