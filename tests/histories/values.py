"""What a column of a type may hold in a random history, as PostgreSQL reads it from text.

Belongs here: proposals by type, and values that tell rows apart. Does not belong here: what a database accepts of them (`catalog`), and
which of them a history draws (`history`).
"""

import json
import random
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta

START = datetime(2025, 1, 1, tzinfo=UTC)
HOURS = 20_000

_TEXT = ("text", "character varying", "character", "citext", "name")
_WHOLE = ("smallint", "integer", "bigint")
_MEASURED = ("real", "double precision")
_TIMES = ("timestamp without time zone", "timestamp with time zone")
_DOCUMENTS = ("json", "jsonb")

# Few documents meet in one history; a database of many histories has all of them.
_DOCUMENTS_TO_DRAW_FROM = 24

_random = random.Random(2025)  # noqa: S311
_MEASURES = tuple(repr(_random.gauss(3, 2)) for _ in range(60))
_MOMENTS = tuple(START + timedelta(hours=hours) for hours in sorted(_random.sample(range(HOURS), k=60)))
_YEARS_END = datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

_USUAL: Mapping[tuple[str, ...], tuple[str, ...]] = {
    _TEXT: ("a", "b", "B", "ö"),
    _WHOLE: ("0", "1", "2", "3"),
    ("numeric",): ("0", "1", "0.5", "0.8", "0.9", *_MEASURES),
    _MEASURED: _MEASURES,
    ("boolean",): ("true", "false"),
    ("uuid",): tuple(str(uuid.UUID(int=number)) for number in range(1, 4)),
    ("date",): tuple(f"{moment:%Y-%m-%d}" for moment in (*_MOMENTS, _YEARS_END)),
    _TIMES: tuple(f"{moment:%Y-%m-%d %H:%M:%S.%f}+00" for moment in (*_MOMENTS, _YEARS_END)),
    ("time without time zone", "time with time zone"): ("00:00:00", "12:30:00", "23:59:59.999999"),
    ("interval",): ("00:00:00", "1 day", "1 month", "36:00:00"),
    ("bytea",): (r"\x", r"\x00", r"\xff"),
}
# Of shapes that a check may demand, and that nothing else is: a digest.
_SHAPED: Mapping[tuple[str, ...], tuple[str, ...]] = {_TEXT: tuple(f"{number:064x}" for number in (10, 11))}
_ODD: Mapping[tuple[str, ...], tuple[str, ...]] = {
    _TEXT: ("", " a 12 of -1.5e3, 0x1F\nb 7"),
    ("numeric",): ("NaN", "Infinity", "-Infinity", "-1"),
    _MEASURED: ("0.0", "-0.0", "NaN", "Infinity", "-Infinity", "1e308", "-1e308", "5e-324"),
}


def base_of(type_name: str) -> str:
    """A type as `format_type` writes it, without its modifiers: `numeric` of `numeric(12,3)`."""
    return re.sub(r"\(.*?\)", "", type_name)


def usual(type_name: str) -> tuple[str, ...]:
    """Values that a column of a type holds most of the time; none if the type is not known here."""
    if type_name.endswith("[]"):
        elements = usual(type_name.removesuffix("[]"))[:2]
        return ("{}", *(f"{{{','.join(map(json.dumps, chosen))}}}" for chosen in (elements, elements[:1]) if chosen))
    return _of_type(_USUAL, type_name)


def shaped(type_name: str) -> tuple[str, ...]:
    """Values for a column of a type that may hold none of the usual ones."""
    return _of_type(_SHAPED, type_name)


def odd(type_name: str) -> tuple[str, ...]:
    """Values at the edges of a type, which a column holds now and then."""
    return _of_type(_ODD, type_name)


def _of_type(values: Mapping[tuple[str, ...], tuple[str, ...]], type_name: str) -> tuple[str, ...]:
    return next((known for names, known in values.items() if base_of(type_name) in names), ())


def is_continuous(type_name: str) -> bool:
    """Whether the type is one of measures or of moments, of which no two need be equal."""
    return base_of(type_name) in (*_MEASURED, "numeric", "date", *_TIMES)


def is_measured(type_name: str) -> bool:
    """Whether sums of the type's values depend on their order."""
    return base_of(type_name) in _MEASURED


def is_document(type_name: str) -> bool:
    """Whether a value has keys."""
    return base_of(type_name) in _DOCUMENTS


def documents(keys: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Documents with these keys, each with the types that SQL makes of what it finds there.

    A key is left out, or holds what fits one of its types (a few values, so that documents agree in some keys), or something else.
    """
    chance = random.Random(2025)  # noqa: S311
    drawn = [{key: _under_key(chance, sorted(types)) for key, types in sorted(keys.items())} for _ in range(_DOCUMENTS_TO_DRAW_FROM)]
    found = ({key: value for key, value in document.items() if value is not ...} for document in ({}, *drawn))
    return tuple(dict.fromkeys(json.dumps(document) for document in found))


def _under_key(chance: random.Random, types: list[str]) -> object:
    fitting = [value for name in types for value in _FITTING.get(name, ())]
    match chance.choice(["none", "fitting", "fitting", "fitting", "other"]):
        case "none":
            return ...
        case "fitting" if fitting:
            return chance.choice(fitting)
        case _:
            return chance.choice([None, "soon", 7, True, {}])


# By the name of the type in a cast, or of a function of the warehouse.
_MOMENTS_IN_DOCUMENTS = ("2025-01-01T00:00:00", "2025-01-02", "2025-01-01T02:00:00+02:00")
_FITTING: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("timestamp", "timestamptz", "date", "time_or_null"), _MOMENTS_IN_DOCUMENTS),
    **dict.fromkeys(("double precision", "real", "decimal", "numeric"), (3, 0.7, 0)),
    **dict.fromkeys(("int", "bigint"), (3, 7, 0)),
    **dict.fromkeys(("text", "varchar"), ("a", "b")),
    "boolean": (True, False),
}


def distinct(type_name: str, number: int, beginning: str) -> str | None:
    """A value that no other number gives; None if the type has too few.

    Args:
        type_name: The type, as `format_type` writes it.
        number: The number.
        beginning: What a text begins with, as far as it may be long.
    """
    base = base_of(type_name)
    if base in _TEXT:
        length = re.search(r"\((\d+)\)", type_name)
        # A name is rarely allowed to be shorter than three letters.
        text = f"{beginning}{number:03}"
        return text[-int(length[1]) :] if length else text
    if base in (*_WHOLE, "numeric", *_MEASURED):
        return str(number)
    if base in _TIMES:
        return f"{START + timedelta(seconds=number):%Y-%m-%d %H:%M:%S}+00"
    if base == "date":
        return f"{START + timedelta(days=number):%Y-%m-%d}"
    return str(uuid.UUID(int=number)) if base == "uuid" else None


def is_telling(type_name: str) -> bool:
    """Whether values of a type can tell rows apart."""
    return distinct(type_name, 1, "") is not None


def near(literal: str) -> Iterator[str]:
    """A value that SQL names, and, of a number, those beside it."""
    yield literal
    if re.fullmatch(r"-?\d{1,15}", literal):
        yield from (str(int(literal) + step) for step in (-1, 1))
