"""Each private part of dagster-postgres is where Runmart looks for it, and what it takes it for."""

from tests.private_parts import ADAPTERS, Part, moved, takes, untold

ADAPTER = ADAPTERS["dagster_postgres"]

PARTS = (
    *(
        Part(f"dagster_postgres:PostgresEventLogStorage.{name}", "store the plans of a run in one go, without those of checks", fits)
        for name, fits in {
            "store_event": takes("self", "event"),
            "store_event_batch": takes("self", ["event"]),
            "prepare_insert_event_batch": takes("self", ["event"]),
            "index_transaction": takes("self"),
            "_store_asset_event": takes("self", "connection", "event", 1),
            "get_asset_records": takes("self", ["key"]),
            "has_table": takes("self", "table"),
            "_has_asset_key_col_on_connection": takes("self", "connection", "column"),
        }.items()
    ),
    Part(
        "dagster_postgres:DagsterPostgresStorage.event_log_storage",
        "store events in a log of our own",
        lambda found: "_event_log_storage" in found.fget.__code__.co_names,
    ),
)


def test_private_parts_of_dagster_postgres_are_as_they_were() -> None:
    assert moved("dagster-postgres", ADAPTER, PARTS) == []


def test_every_private_part_of_dagster_postgres_is_looked_at() -> None:
    assert untold(ADAPTER, PARTS) == set()
