"""A look at a source misses nothing that a sync would bring, and finds nothing new once it has been brought."""

from collections.abc import Mapping
from contextlib import closing

import psycopg2
import pytest

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion.errors import DatabaseUnreachable
from dagster_project.ingestion.events import Stage, SyncEvent
from dagster_project.ingestion.news import Difference, look
from tests.databases import wait_for_earlier_transactions
from tests.integration.ingestion.conftest import CONTRACT, Pair

CHANGES = {
    "insert": "insert into parent values (100, 'new', null, null)",
    "update": "update parent set name = 'other' where parent_id = 1",
    "delete": "delete from child where child_id = 1",
    "replaced": "delete from child where child_id = 2; insert into child (child_id, at) values (7, '2025-02-02')",
    "truncated": "truncate child",
    "part": "alter table child detach partition child_old",
    "savepoint": "begin; savepoint a; update parent set name = 'nested' where parent_id = 2; release a; commit",
    "shape": "alter table parent alter column name type varchar(50)",
}


def news(pair: Pair, contract: SystemContract = CONTRACT) -> Mapping[str, Difference]:
    found = look(contract.model_copy(update={"capture": pair.capture}), pair.source_url, pair.warehouse_url)
    assert found is not None
    return found


def settle(pair: Pair) -> None:
    """Raw is up to date, and the slot has come to be read from."""
    pair.sync()
    wait_for_earlier_transactions(pair.source_url)
    pair.sync()


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_found_until_it_is_synced(pair: Pair, change: str) -> None:
    settle(pair)
    assert news(pair) == {}
    pair.at_source(CHANGES[change])
    found = news(pair)
    assert found
    assert {*news(pair)} == {*found}
    brought = {table.table for table in pair.sync().tables if table.rows_inserted or table.rows_updated or table.rows_deleted}
    assert brought <= {*found}
    pair.assert_equal()
    wait_for_earlier_transactions(pair.source_url)
    pair.sync()
    assert news(pair) == {}


def test_source_that_was_never_synced_is_all_new(pair: Pair) -> None:
    assert {*news(pair)} == {"parent", "child"}


def test_look_writes_nothing(pair: Pair) -> None:
    settle(pair)
    pair.at_source(CHANGES["update"])
    kept = "select (select json_agg(s order by table_name) from ops.table_state as s)::text, (select count(*) from ops.batches)"
    before = pair.in_warehouse(kept)
    news(pair)
    assert pair.in_warehouse(kept) == before


def is_brought(found: Mapping[str, Difference], known: Mapping[str, Difference]) -> bool:
    return all(difference.is_brought_with(known.get(table)) for table, difference in found.items())


def test_transaction_that_stays_open_makes_nothing_new_by_itself(pair: Pair) -> None:
    settle(pair)
    with closing(psycopg2.connect(pair.source_url)) as late, late.cursor() as cursor:
        cursor.execute("insert into parent values (100, 'late', null, null)")
        pair.at_source("insert into parent values (200, 'early', null, null)")
        assert {*news(pair)} == {"parent"}
        # The second time the number of rows is known, too.
        for _ in range(2):
            known = news(pair)
            pair.sync()
        assert is_brought(news(pair), known)
        pair.at_source("update parent set name = 'again' where parent_id = 200")
        assert not is_brought(news(pair), known)
        pair.sync()
        known = news(pair)
        late.commit()
    assert not is_brought(news(pair), known)
    pair.sync()
    pair.assert_equal()


def test_view_is_new_when_its_rows_are(pair: Pair) -> None:
    pair.at_source("create view names as select parent_id, name from parent")
    document = CONTRACT.model_dump(by_alias=True)
    document["tables"]["names"] = {"description": "A view.", "key": ["parent_id"], "columns": ["parent_id", "name"]}
    contract = SystemContract.model_validate(document)
    pair.sync(contract)
    known = news(pair, contract)
    pair.sync(contract)
    assert is_brought({"names": news(pair, contract)["names"]}, known)
    pair.at_source(CHANGES["update"])
    assert not is_brought({"names": news(pair, contract)["names"]}, known)


def test_no_look_while_a_sync_is_under_way(pair: Pair) -> None:
    found: list[object] = []

    def look_now(event: SyncEvent) -> None:
        if event.stage is Stage.SNAPSHOT:
            found.append(look(CONTRACT, pair.source_url, pair.warehouse_url))

    pair.sync(on_event=look_now)
    assert found == [None]


def test_source_that_is_down_is_told(pair: Pair) -> None:
    pair.sync()
    with pytest.raises(DatabaseUnreachable, match="the source small"):
        look(CONTRACT, "postgresql://nobody@127.0.0.1:1/none", pair.warehouse_url)
