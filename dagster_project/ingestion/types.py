"""Which column types hold every value of another one.

Belongs here: PostgreSQL's type names as `format_type` writes them. Does not belong here: changing any column (`raw_tables`).
"""

import re
from dataclasses import dataclass

_INTEGERS = ("smallint", "integer", "bigint")
_FLOATS = ("real", "double precision")
_WITH_LENGTH = {"character varying", "bit varying"}
_WITH_PRECISION = ("timestamp", "time", "interval")
_FULL_PRECISION = 6

# What earlier versions kept in the first type is kept in the second since, and so is every value of it.
_KEPT_OTHERWISE = {("jsonb", "json"), ("money", "numeric"), ("tsquery", "text"), ("xml", "text")}

_TYPE = re.compile(r"^(?P<name>[^(\[]+?)(?:\((?P<modifiers>[\d,-]+)\))?(?P<rest> with(?:out)? time zone)?(?P<array>(?:\[\])*)$")


@dataclass(frozen=True)
class _Type:
    name: str
    modifiers: tuple[int, ...]
    array: str


def is_widened(old: str, new: str) -> bool:
    """Whether every value of the old type is one of the new type, unchanged.

    Args:
        old: A type as `format_type` writes it, for example `numeric(12,3)` or `integer[]`.
        new: Another one.
    """
    before, after = _parse(old), _parse(new)
    if before is None or after is None or before.array != after.array:
        return False
    if before.name == after.name:
        return _has_more_room(before, after)
    if (before.name, after.name) in _KEPT_OTHERWISE:
        return not after.modifiers
    for ladder in (_INTEGERS, _FLOATS):
        if before.name in ladder and after.name in ladder:
            return ladder.index(before.name) < ladder.index(after.name)
    if before.name in _INTEGERS and after.name == "numeric":
        return not after.modifiers
    return before.name == "character varying" and after.name == "text"


def _has_more_room(before: _Type, after: _Type) -> bool:
    if before.name == "numeric" and before.modifiers and after.modifiers:
        (digits, scale), (more_digits, more_scale) = before.modifiers, after.modifiers
        return more_scale >= scale and more_digits - more_scale >= digits - scale
    if before.name == "numeric" or before.name in _WITH_LENGTH:
        return not after.modifiers or (bool(before.modifiers) and after.modifiers >= before.modifiers)
    if before.name.startswith(_WITH_PRECISION):
        return (after.modifiers or (_FULL_PRECISION,)) >= (before.modifiers or (_FULL_PRECISION,))
    return before.modifiers == after.modifiers


def _parse(text: str) -> _Type | None:
    match = _TYPE.match(text)
    if match is None:
        return None
    modifiers = tuple(int(part) for part in match["modifiers"].split(",")) if match["modifiers"] else ()
    return _Type(match["name"] + (match["rest"] or ""), modifiers, match["array"])
