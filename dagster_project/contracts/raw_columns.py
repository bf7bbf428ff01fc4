"""The columns that every raw table has beside the declared ones.

Belongs here: their names and types. Does not belong here: what a sync writes into them (`ingestion/`).
"""

BATCH_ID = "_batch_id"
SYNCED_AT = "_synced_at"
DELETED_AT = "_deleted_at"
MOVED_FROM = "_moved_from"

# In their order, with their types as PostgreSQL writes them.
TYPES = {
    BATCH_ID: "bigint",
    SYNCED_AT: "timestamp with time zone",
    DELETED_AT: "timestamp with time zone",
    MOVED_FROM: "jsonb",
}

# Every row has a value in them.
REQUIRED = (BATCH_ID, SYNCED_AT)

# Condition on a raw row; the name of the table may go before it, with a dot.
IS_LIVE = f"{DELETED_AT} is null"
