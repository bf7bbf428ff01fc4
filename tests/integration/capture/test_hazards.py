"""What owners do to a source between two syncs: each hazard once, with a warehouse in each capture mode."""

from collections.abc import Callable
from contextlib import closing
from functools import partial

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.ingestion import slot
from tests.integration.capture import hazards
from tests.integration.capture.judge import exact_sync
from tests.integration.capture.places import Place, place
from tests.integration.capture.servers import Server
from tests.integration.capture.tables import contract
from tests.integration.capture.writers import fill


def act(where: Place, hazard: Callable[[Cursor], object]) -> None:
    with closing(psycopg2.connect(where.source_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            hazard(cursor)


def statements(text: str) -> Callable[[Cursor], object]:
    return lambda cursor: cursor.execute(text)


HAZARDS: dict[str, Callable[[Cursor], object]] = {
    "attach a filled partition": partial(hazards.attach_filled, year=2023),
    "detach": partial(hazards.detach, year=2020),
    "detach concurrently": partial(hazards.detach_concurrently, year=2020),
    "change while detached, attach again": partial(hazards.change_while_detached, year=2020),
    "drop a partition": partial(hazards.drop_partition, year=2022),
    "truncate a partition": hazards.truncate_leaf,
    "truncate a table": hazards.truncate_plain,
    "truncate and refill": hazards.truncate_and_refill,
    "vacuum full": hazards.vacuum_full,
    "cluster": hazards.cluster,
    "add a column with a default": hazards.add_column,
    "freeze": hazards.freeze,
    "put another table in its place": hazards.swap_table,
    "write with an origin": hazards.write_with_origin,
    "write without triggers": hazards.write_without_triggers,
    "drop the slot": hazards.drop_slot,
    "drop and create the slot": hazards.recreate_slot,
    "advance the slot": hazards.advance_slot,
    "rewrite with the same type": statements("alter table account alter column name type varchar(40) using upper(name)"),
    "drop a column and add another of its name": statements(
        "alter table document drop column labels; alter table document add column labels text[] default array['new']"
    ),
    "rename a label": statements("alter type mood rename value 'calm' to 'serene'"),
    "rename a table and back": statements(
        """
        alter table account rename to elsewhere; update elsewhere set size = 4 where account_id %% 2 = 0;
        delete from elsewhere where account_id %% 7 = 0; alter table elsewhere rename to account
        """.replace("%%", "%")
    ),
    "move a table to another schema and back": statements(
        """
        create schema away; alter table document set schema away; update away.document set picture = null;
        alter table away.document set schema public
        """
    ),
    "rename the key and back": statements(
        """
        alter table account rename account_id to id; update account set size = 5 where id % 2 = 0; delete from account where id % 5 = 0;
        alter table account rename id to account_id
        """
    ),
    "swap a partition for a copy of other rows": statements(
        """
        begin; create table entry_copy (like entry including all excluding identity);
        insert into entry_copy select entry_id, booked_on, account_id, 1, ratio, text, changed_at from entry_2020;
        alter table entry detach partition entry_2020; drop table entry_2020; alter table entry_copy rename to entry_2020;
        alter table entry attach partition entry_2020 for values from ('2020-01-01') to ('2021-01-01'); commit
        """
    ),
    "split a partition": statements(
        """
        begin; alter table entry detach partition entry_2022; alter table entry_2022 rename to entry_2022_a;
        create table entry_2022 (like entry including all excluding identity) partition by range (booked_on);
        alter table entry_2022 attach partition entry_2022_a for values from ('2022-01-01') to ('2023-01-01');
        alter table entry attach partition entry_2022 for values from ('2022-01-01') to ('2023-01-01'); commit
        """
    ),
    "move a subtree of partitions out, change it, move it back": statements(
        """
        alter table entry detach partition entry_2021; update entry_2021 set text = 'outside';
        delete from entry_2021 where entry_id % 3 = 0;
        alter table entry attach partition entry_2021 for values from ('2021-01-01') to ('2022-01-01')
        """
    ),
    "publication without the table for a while": statements(
        """
        do $$ begin
            if exists (select from pg_publication) then alter publication runmart_awkward drop table account; end if;
            update account set size = 9; delete from account where account_id % 4 = 0;
            if exists (select from pg_publication) then alter publication runmart_awkward add table account (account_id); end if;
        end $$
        """
    ),
    "publication of inserts only for a while": statements(
        """
        do $$ begin
            if exists (select from pg_publication) then alter publication runmart_awkward set (publish = 'insert'); end if;
            update account set size = 9; delete from account where account_id % 4 = 0;
            if exists (select from pg_publication) then
                alter publication runmart_awkward set (publish = 'insert, update, delete, truncate');
            end if;
        end $$
        """
    ),
    "replica identity full for a while": statements(
        """
        alter table ledger replica identity full; insert into ledger (at, delta) values (now(), 1);
        alter table ledger replica identity default; update ledger set delta = 2
        """
    ),
    "replica identity full, left so": statements("alter table setting replica identity full; insert into setting (name) values ('full')"),
    "delete and insert the same keys": statements(
        "begin; create temporary table kept as select * from setting; delete from setting; "
        "insert into setting select name, 'again', valid_until, score, limits from kept; commit"
    ),
    "extreme keys": statements(
        """
        insert into account (account_id, name) values (-9223372036854775808, 'least'), (9223372036854775807 / 2 - 1, 'much'), (-1, 'minus'),
            (0, 'zero'), (-64, 'a'), (-65, 'b')
        """
    ),
}


@pytest.mark.parametrize("name", HAZARDS)
def test_both_modes_stay_exact(name: str, somewhere: Place, capture_servers: tuple[Server, Server]) -> None:
    """The hazard comes alone, so that no other change makes a sync look closer."""
    fill(somewhere.source_url, "before", 40)
    slot.enable(contract("cdc"), somewhere.source_url)
    with place(*capture_servers) as other:
        pairs = [(somewhere, contract("horizon")), (Place(*capture_servers, somewhere.source, other.warehouse), contract("cdc"))]
        exact_syncs(pairs)
        act(somewhere, HAZARDS[name])
        exact_syncs(pairs)
        fill(somewhere.source_url, "after", 10)
        exact_syncs(pairs)


@pytest.mark.parametrize("hazard", [hazards.advance_slot, hazards.recreate_slot, hazards.drop_slot])
def test_slot_that_moves_before_it_is_peeked_at(
    hazard: Callable[[Cursor], object], somewhere: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync has found it where it was left, and reads its changes a moment later."""
    peek = slot.peek

    def late(cursor: Cursor, declared: SystemContract, upto: str, max_keys: int) -> slot.Changes:
        act(somewhere, hazard)
        return peek(cursor, declared, upto, max_keys)

    fill(somewhere.source_url, "before", 40)
    slot.enable(contract("cdc"), somewhere.source_url)
    exact_sync(somewhere, contract("cdc"))
    fill(somewhere.source_url, "meanwhile", 40)
    with monkeypatch.context() as patched:
        patched.setattr(slot, "peek", late)
        exact_sync(somewhere, contract("cdc"))
    fill(somewhere.source_url, "after", 10)
    exact_sync(somewhere, contract("cdc"))


def exact_syncs(pairs: list[tuple[Place, SystemContract]]) -> None:
    for where, chosen in pairs:
        exact_sync(where, chosen)
