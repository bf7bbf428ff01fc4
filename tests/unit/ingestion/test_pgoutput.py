"""Messages written here by the manual's description of their formats are read back as what they were written from."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.ingestion.pgoutput import (
    Begin,
    Commit,
    Delete,
    Insert,
    MalformedMessage,
    Message,
    Notice,
    Relation,
    Row,
    Special,
    Truncate,
    Update,
    parse,
    single_value,
)

uint32 = st.integers(0, 2**32 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
lsn = st.integers(0, 2**63 - 1)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=63)
rows: st.SearchStrategy[Row] = st.lists(st.binary(max_size=80) | st.sampled_from(Special), max_size=6).map(tuple)


def i32(number: int) -> bytes:
    return struct.pack("!I", number)


def row(values: Row) -> bytes:
    parts = [value.value.encode() if isinstance(value, Special) else b"t" + i32(len(value)) + value for value in values]
    return struct.pack("!H", len(values)) + b"".join(parts)


def string(text: str) -> bytes:
    return text.encode() + b"\0"


begins = st.builds(lambda end, at, xid: (b"B" + struct.pack("!qqI", end, at, xid), Begin(xid)), lsn, int64, uint32)
commits = st.builds(lambda start, end, at: (b"C\0" + struct.pack("!qqq", start, end, at), Commit(end)), lsn, lsn, int64)
inserts = st.builds(lambda oid, new: (b"I" + i32(oid) + b"N" + row(new), Insert(oid, new)), uint32, rows)
updates = st.builds(lambda oid, new: (b"U" + i32(oid) + b"N" + row(new), Update(oid, None, new)), uint32, rows)
key_updates = st.builds(
    lambda oid, kind, old, new: (b"U" + i32(oid) + kind + row(old) + b"N" + row(new), Update(oid, old, new)),
    uint32,
    st.sampled_from([b"K", b"O"]),
    rows,
    rows,
)
deletes = st.builds(
    lambda oid, kind, old: (b"D" + i32(oid) + kind + row(old), Delete(oid, old)), uint32, st.sampled_from([b"K", b"O"]), rows
)
truncates = st.builds(
    lambda oids, option: (b"T" + i32(len(oids)) + bytes([option]) + b"".join(map(i32, oids)), Truncate(tuple(oids))),
    st.lists(uint32, max_size=5),
    st.integers(0, 3),
)
relations = st.builds(
    lambda oid, schema, table, columns: (
        b"R" + i32(oid) + string(schema) + string(table) + b"d" + struct.pack("!H", len(columns))
        + b"".join(b"\1" + string(column) + struct.pack("!Ii", 23, -1) for column in columns),
        Relation(oid, tuple(columns)),
    ),
    uint32,
    names | st.just(""),
    names,
    st.lists(names, max_size=5),
)  # fmt: skip
notices = st.builds(lambda kind, rest: (kind.encode() + rest, Notice(kind)), st.sampled_from("OYM"), st.binary(max_size=40))
whole = begins | commits | inserts | updates | key_updates | deletes | truncates | relations


@given(whole | notices)
def test_a_message_is_read_back(written: tuple[bytes, Message]) -> None:
    message, meant = written
    assert parse(message) == meant
    assert type(parse(message)) is type(meant)


@given(whole | notices)
def test_only_a_change_of_one_row_with_one_value_is_a_single_value(written: tuple[bytes, Message]) -> None:
    message, meant = written
    single = None
    match meant:
        case Insert(relation, (bytes(value),)) | Update(relation, None, (bytes(value),)) | Delete(relation, (bytes(value),)):
            single = (relation, value)
    assert single_value(message) == single


@given(whole, st.data())
def test_a_message_cut_short_or_with_more_behind_it_is_refused(written: tuple[bytes, Message], data: st.DataObject) -> None:
    message, _ = written
    shorter = message[: data.draw(st.integers(0, len(message) - 1))]
    longer = message + data.draw(st.binary(min_size=1, max_size=5))
    for malformed in (shorter, longer):
        assert single_value(malformed) is None
        with pytest.raises(MalformedMessage):
            parse(malformed)


@pytest.mark.parametrize(
    "message", [b"", b"S\0\0\0\1", b"I\0\0\0\1K\0\0", b"U\0\0\0\1X\0\0", b"D\0\0\0\1N\0\0", b"I\0\0\0\1N\0\1b\0\0\0\0"]
)
def test_what_protocol_version_1_does_not_have_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedMessage, match="not a message of pgoutput's protocol version 1"):
        parse(message)
