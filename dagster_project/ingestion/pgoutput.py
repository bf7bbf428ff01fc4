"""The messages of PostgreSQL's logical replication (pgoutput, protocol version 1), taken apart.

Belongs here: bytes to messages, as the manual's chapter "Logical Replication Message Formats" has them. Does not belong here: any
database, and what the messages mean for a table (`slot`).
"""

import struct
from enum import Enum
from typing import NamedTuple, TypeAlias


class MalformedMessage(ValueError):
    """The bytes are no message of protocol version 1."""


class Special(Enum):
    """What a message may hold in the place of a value."""

    NULL = "n"
    UNCHANGED = "u"  # kept out of line and not touched by the update, and so not sent along


Row: TypeAlias = tuple[bytes | Special, ...]


class Begin(NamedTuple):
    """A transaction starts; `xid` is without its epoch."""

    xid: int


class Commit(NamedTuple):
    """The transaction's end; `end_lsn` is the position behind its commit record."""

    end_lsn: int


class Relation(NamedTuple):
    """The published columns of a table, ahead of its first change."""

    relation: int
    columns: tuple[str, ...]


class Insert(NamedTuple):
    """A new row."""

    relation: int
    new: Row


class Update(NamedTuple):
    """A changed row; `old` is there if its replica identity changed or is kept out of line."""

    relation: int
    old: Row | None
    new: Row


class Delete(NamedTuple):
    """A deleted row: its replica identity."""

    relation: int
    old: Row


class Truncate(NamedTuple):
    """Tables that were emptied."""

    relations: tuple[int, ...]


class Notice(NamedTuple):
    """A message without any row: an origin (O), a type (Y) or an application's own (M)."""

    kind: str


Message: TypeAlias = Begin | Commit | Relation | Insert | Update | Delete | Truncate | Notice

_BEGIN = struct.Struct("!xqqI")
_COMMIT = struct.Struct("!xBqqq")
_RELATION_HEAD = struct.Struct("!xI")
_RELATION_TAIL = struct.Struct("!BH")
_COLUMN_TAIL = struct.Struct("!Ii")
_CHANGE = struct.Struct("!xIc")
_TRUNCATE = struct.Struct("!xIB")
_COUNT = struct.Struct("!H")
_SINGLE = struct.Struct("!cIcHcI")
_SINGLE_CHANGES = {b"IN", b"UN", b"DK", b"DO"}
_LENGTH = struct.Struct("!I")


def parse(message: bytes) -> Message:
    """Take one message apart.

    Raises:
        MalformedMessage: It is cut short, too long, or of a kind that protocol version 1 does not have.
    """
    kind = message[:1]
    if kind in (b"O", b"Y", b"M"):
        return Notice(kind.decode())
    try:
        parsed, end = _PARSERS[kind](message)
        if end != len(message):
            raise ValueError(f"{len(message)} bytes instead of {end}")
    except (KeyError, struct.error, ValueError) as error:
        raise MalformedMessage(f"not a message of pgoutput's protocol version 1 ({error}): {message[:40]!r}") from error
    return parsed


def single_value(message: bytes) -> tuple[int, bytes] | None:
    """Relation and value of a change that has one row of one column, in a fraction of the time that `parse` takes; None for all else."""
    if len(message) < _SINGLE.size:
        return None
    kind, relation, part, count, mark, length = _SINGLE.unpack_from(message)
    if count != 1 or mark != b"t" or length != len(message) - _SINGLE.size or kind + part not in _SINGLE_CHANGES:
        return None
    return relation, message[_SINGLE.size :]


def _begin(message: bytes) -> tuple[Message, int]:
    _, _, xid = _BEGIN.unpack_from(message)
    return Begin(xid), _BEGIN.size


def _commit(message: bytes) -> tuple[Message, int]:
    _, _, end_lsn, _ = _COMMIT.unpack_from(message)
    return Commit(end_lsn), _COMMIT.size


def _relation(message: bytes) -> tuple[Message, int]:
    (relation,) = _RELATION_HEAD.unpack_from(message)
    # Schema and name may have changed since; the identifier has not.
    _, at = _string(message, _RELATION_HEAD.size)
    _, at = _string(message, at)
    _, count = _RELATION_TAIL.unpack_from(message, at)
    at += _RELATION_TAIL.size
    columns = []
    for _ in range(count):
        column, at = _string(message, at + 1)
        _COLUMN_TAIL.unpack_from(message, at)
        at += _COLUMN_TAIL.size
        columns.append(column)
    return Relation(relation, tuple(columns)), at


def _insert(message: bytes) -> tuple[Message, int]:
    relation, part = _CHANGE.unpack_from(message)
    _expect(part, b"N")
    new, at = _row(message, _CHANGE.size)
    return Insert(relation, new), at


def _update(message: bytes) -> tuple[Message, int]:
    relation, part = _CHANGE.unpack_from(message)
    at = _CHANGE.size
    old = None
    if part in (b"K", b"O"):
        old, at = _row(message, at)
        part = message[at : at + 1]
        at += 1
    _expect(part, b"N")
    new, at = _row(message, at)
    return Update(relation, old, new), at


def _delete(message: bytes) -> tuple[Message, int]:
    relation, part = _CHANGE.unpack_from(message)
    _expect(part, b"K", b"O")
    old, at = _row(message, _CHANGE.size)
    return Delete(relation, old), at


def _truncate(message: bytes) -> tuple[Message, int]:
    count, _ = _TRUNCATE.unpack_from(message)
    relations = struct.Struct(f"!{count}I")
    return Truncate(relations.unpack_from(message, _TRUNCATE.size)), _TRUNCATE.size + relations.size


def _row(message: bytes, at: int) -> tuple[Row, int]:
    (count,) = _COUNT.unpack_from(message, at)
    at += _COUNT.size
    values: list[bytes | Special] = []
    for _ in range(count):
        kind = message[at : at + 1]
        at += 1
        if kind == b"t":
            (length,) = _LENGTH.unpack_from(message, at)
            at += _LENGTH.size
            values.append(message[at : at + length])
            at += length
        else:
            values.append(Special(kind.decode()))
    return tuple(values), at


def _string(message: bytes, at: int) -> tuple[str, int]:
    end = message.index(b"\0", at)
    return message[at:end].decode(), end + 1


def _expect(part: bytes, *parts: bytes) -> None:
    if part not in parts:
        raise ValueError(f"{part!r} in the place of a row")


_PARSERS = {
    b"B": _begin,
    b"C": _commit,
    b"R": _relation,
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"T": _truncate,
}
