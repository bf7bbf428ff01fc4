"""The columns that every raw table has beside the declared ones.

Belongs here: their names and types. Does not belong here: what is written into them (`ingestion/`,
`quality.quarantine`).
"""

BATCH_ID = "_batch_id"
SYNCED_AT = "_synced_at"
DELETED_AT = "_deleted_at"
MOVED_FROM = "_moved_from"
QUARANTINED_AT = "_quarantined_at"

# In their order, with their types as PostgreSQL writes them.
TYPES = {
    BATCH_ID: "bigint",
    SYNCED_AT: "timestamp with time zone",
    DELETED_AT: "timestamp with time zone",
    MOVED_FROM: "jsonb",
    QUARANTINED_AT: "timestamp with time zone",
}

# Every row has a value in them.
REQUIRED = (BATCH_ID, SYNCED_AT)

# Conditions on a raw row; the name of the table may go before them, with a dot.
IS_LIVE = f"{DELETED_AT} is null"
IS_IN_QUARANTINE = f"{QUARANTINED_AT} is not null"
IS_OUT_OF_QUARANTINE = f"{QUARANTINED_AT} is null"
