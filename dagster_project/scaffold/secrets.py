"""Which columns of a table hold secrets or personal data, as far as names and types tell.

Belongs here: how names are taken apart and held against the list (`secret_words`). Does not belong here: the list, and what becomes of such
a column (`drafting`). A name only hints: what a person knows to be secret stays out of a contract whatever it is called.

A name is words, and its last word is what it names: a `phone_model` is a model. Some words leave it what it was: a
`password_hash` is as good as a password. The type counts: no integer is a token, and a number of things in the plural is a count. The table
counts too: `value` is a secret among settings, and data among the tags of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from dagster_project.scaffold import secret_words as known
from dagster_project.scaffold.names import snake_case
from dagster_project.scaffold.secret_words import Group, Kind, Phrase

_GROUPS: Mapping[Phrase, Group | None] = {
    **{phrase: group for group in known.GROUPS for phrase in group.phrases},
    **dict.fromkeys(known.HARMLESS, None),
}
_LONGEST_PHRASE = max(map(len, _GROUPS))
_WRITTEN = (Kind.TEXT, Kind.JSON)
_KIND_OF_TYPE = {
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric", "real", "double", "money", "oid"), Kind.NUMBER),
    **dict.fromkeys(("date", "time", "timestamp", "interval"), Kind.TIME),
    **dict.fromkeys(("json", "jsonb"), Kind.JSON),
    "uuid": Kind.UUID,
    "boolean": Kind.BOOLEAN,
}


class Decision(StrEnum):
    """What becomes of a column unless a person decides otherwise."""

    READ = "read"
    READ_IN_DOUBT = "read in doubt"
    LEFT_OUT_IN_DOUBT = "left out in doubt"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Verdict:
    """A decision and, unless it is to read without doubt, its reason."""

    decision: Decision
    reason: str = ""

    @property
    def is_left_out(self) -> bool:
        """Whether the column is not read."""
        return self.decision in (Decision.LEFT_OUT, Decision.LEFT_OUT_IN_DOUBT)

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should decide."""
        return self.decision in (Decision.READ_IN_DOUBT, Decision.LEFT_OUT_IN_DOUBT)


@dataclass(frozen=True)
class Named:
    """What is known of a column before anything of it is read.

    Attributes:
        name: Its name in the source.
        type_name: Its type as PostgreSQL writes it; that of a domain's base.
        is_key: Whether it belongs to a key of the table or to a foreign key.
    """

    name: str
    type_name: str
    is_key: bool = False


@dataclass(frozen=True)
class _Word:
    """A word in the singular, and whether it was written in the plural."""

    text: str
    is_plural: bool


@dataclass(frozen=True)
class _Parsed:
    words: tuple[_Word, ...]
    kind: Kind
    is_key: bool

    @property
    def texts(self) -> Phrase:
        return tuple(word.text for word in self.words)

    @property
    def last(self) -> str:
        return self.words[-1].text if self.words else ""

    @property
    def is_written(self) -> bool:
        return self.kind in _WRITTEN


_READ = Verdict(Decision.READ)


def judge(table: str, columns: Sequence[Named]) -> dict[str, Verdict]:
    """What becomes of each column of a table, by its name.

    Args:
        table: Name of the table in the source.
        columns: All of its columns, or those that are declared.
    """
    table_words = tuple(word.text for word in _words(table))
    parsed = {column.name: _Parsed(_words(column.name), _kind(column.type_name), column.is_key) for column in columns}
    by_name = {name: _by_name(column, table_words) for name, column in parsed.items()}
    values = _verdict_on_values(table_words, parsed)
    is_connection = _is_connection(table_words, parsed, by_name)
    return {name: _strictest(by_name[name], _by_table(column, values, is_connection=is_connection)) for name, column in parsed.items()}


def _strictest(*verdicts: Verdict) -> Verdict:
    return max(verdicts, key=lambda verdict: list(Decision).index(verdict.decision))


def _kind(type_name: str) -> Kind:
    """What is not known is text: it may hold anything."""
    return _KIND_OF_TYPE.get(type_name.partition("(")[0].removesuffix("[]").partition(" ")[0], Kind.TEXT)


def _words(name: str) -> tuple[_Word, ...]:
    """The words of a name; digits at their ends only number them."""
    parts = (part.strip("0123456789") for part in snake_case(name).split("_"))
    return tuple(_singular(word) for part in parts if part for word in _run_together(part))


def _singular(word: str) -> _Word:
    if word in known.VOCABULARY:
        return _Word(word, is_plural=False)
    for plural, singular in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(plural) and word.removesuffix(plural) + singular in known.VOCABULARY:
            return _Word(word.removesuffix(plural) + singular, is_plural=True)
    return _Word(word, is_plural=False)


def _is_known(word: str) -> bool:
    return _singular(word).text in known.VOCABULARY


@cache
def _run_together(word: str) -> Phrase:
    """The words that a name without separators is made of: `phonetypeid`, `stripetoken`; itself if it is not made of known ones.

    All of it must be known words, so that there is no pin in `shipping`; but for what stands before an unmistakable one.
    """
    whole = _partition(word)
    if whole:
        return whole
    for cut in range(2, len(word) - 2):
        rest = _partition(word[cut:])
        if rest and _singular(rest[0]).text in known.UNMISTAKABLE:
            return (word[:cut], *rest)
    return (word,)


@cache
def _partition(word: str) -> Phrase:
    """Known words that make up the whole, the longest first; none if there are no such."""
    if _is_known(word):
        return (word,)
    for cut in range(len(word) - 2, 1, -1):
        if _is_known(word[:cut]) and (rest := _partition(word[cut:])):
            return (word[:cut], *rest)
    return ()


def _by_name(column: _Parsed, table_words: Phrase) -> Verdict:
    """By what the column is called; a name that says nothing of its own is read together with that of the table too."""
    verdict = _strictest(_by_words(column), _free(column))
    if column.texts and known.GENERIC.issuperset(column.texts):
        words = (*(_Word(word, is_plural=False) for word in table_words), *column.words)
        return _strictest(verdict, _by_words(_Parsed(words, column.kind, column.is_key), at_least=len(table_words)))
    if table_words and table_words[-1] in known.PEOPLE and column.texts in (("name",), ("display", "name")) and column.is_written:
        return Verdict(Decision.LEFT_OUT_IN_DOUBT, "it may be the name of a person")
    return verdict


def _by_words(column: _Parsed, at_least: int = 0) -> Verdict:
    """By the last phrase of the list that the name has, if that ends at the given word or later."""
    found = _last_phrase(column.texts)
    if found is None or found[1] < at_least or column.texts[0] in known.ASKING:
        return _READ
    phrase, end = found
    group = _GROUPS[phrase]
    if group is None or not _can_be(column, group, phrase, end):
        return _READ
    rest = column.texts[end:]
    if known.KEEPING.issuperset(rest):
        return Verdict(Decision.LEFT_OUT if group.is_certain else Decision.LEFT_OUT_IN_DOUBT, group.hint)
    if rest[-1] in known.TELLING:
        return _READ
    return Verdict(Decision.LEFT_OUT_IN_DOUBT, f"it begins like {group.hint}" if group.is_certain else group.hint)


def _can_be(column: _Parsed, group: Group, phrase: Phrase, end: int) -> bool:
    """Whether the column's values can be what the phrase hints at."""
    is_count = column.kind is Kind.NUMBER and column.words[end - 1].is_plural
    # The identifier of a session, not what opens it.
    is_surrogate = column.is_key and column.kind is Kind.UUID and phrase[-1] == "id"
    return column.kind in group.kinds and not is_count and not is_surrogate


def _last_phrase(words: Phrase) -> tuple[Phrase, int] | None:
    """The last phrase of the list in a name, and where it ends; of two that begin at the same word, the longer."""
    found: tuple[Phrase, int] | None = None
    at = 0
    while at < len(words):
        ends = range(min(len(words), at + _LONGEST_PHRASE), at, -1)
        end = next((end for end in ends if words[at:end] in _GROUPS), None)
        # An email address is an email in other clothes.
        if end and not (found and known.KEEPING.issuperset(words[at:end])):
            found = words[at:end], end
        at = end or at + 1
    return found


def _free(column: _Parsed) -> Verdict:
    """Whether people or programs may write anything into it."""
    if column.kind is Kind.TEXT and column.last in known.FREE_TEXT:
        return Verdict(Decision.READ_IN_DOUBT, "free text, in which anything may stand")
    if column.kind is Kind.JSON and column.last in known.FREE_JSON:
        return Verdict(Decision.READ_IN_DOUBT, "a free form, in which anything may stand")
    return _READ


def _verdict_on_values(table_words: Phrase, columns: Mapping[str, _Parsed]) -> Verdict:
    """What becomes of values that have a name beside them."""
    if not any(column.last in known.KEY_COLUMNS and column.kind is Kind.TEXT for column in columns.values()):
        return _READ
    subject = next((word for word in reversed(table_words) if word in known.SETTINGS | known.DATA), None)
    if subject in known.DATA:
        return _READ
    if subject:
        return Verdict(Decision.LEFT_OUT, "a value of a store of settings")
    return Verdict(Decision.READ_IN_DOUBT, "a value of any key, which may be a secret")


def _is_connection(table_words: Phrase, columns: Mapping[str, _Parsed], by_name: Mapping[str, Verdict]) -> bool:
    if _ends_with(table_words, known.CONNECTIONS):
        return True
    has_password = any(column.last in known.UNMISTAKABLE and by_name[name].is_left_out for name, column in columns.items())
    return has_password and any(column.last in known.CONNECTION_PLACES and column.is_written for column in columns.values())


def _ends_with(words: Phrase, phrases: Sequence[Phrase]) -> bool:
    return any(words[-len(phrase) :] == phrase for phrase in phrases)


def _by_table(column: _Parsed, values: Verdict, *, is_connection: bool) -> Verdict:
    """By what the table is: a store of keys and values, or connections to other systems."""
    if not column.is_written:
        return _READ
    if is_connection and _ends_with(column.texts, known.CONNECTION_COLUMNS):
        return Verdict(Decision.LEFT_OUT, "how to reach another system")
    if values.is_left_out and (column.last in known.VALUE_COLUMNS or known.VALUE_PARTS.issuperset(column.texts)):
        return values
    if values.is_doubtful and known.VALUE_COLUMNS.intersection(column.texts) and known.VALUE_PARTS.issuperset(column.texts):
        return values
    return _READ
