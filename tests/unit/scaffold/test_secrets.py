"""Which columns are secret: by name, type and table, against what a reader would say of them."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.scaffold import secret_words
from dagster_project.scaffold.secrets import Decision, Named, judge
from dagster_project.settings import PROJECT_ROOT
from tests.unit.scaffold.known_schemas import SCHEMAS, SHORT_TYPES

MARKS = {"": Decision.READ, "?": Decision.READ_IN_DOUBT, "-?": Decision.LEFT_OUT_IN_DOUBT, "-": Decision.LEFT_OUT}
TABLES = [pytest.param(table, text, id=f"{schema}.{table}") for schema, tables in SCHEMAS.items() for table, text in tables.items()]


def decisions(table: str, columns: list[Named]) -> dict[str, Decision]:
    return {name: verdict.decision for name, verdict in judge(table, columns).items()}


@pytest.mark.parametrize(("table", "text"), TABLES)
def test_known_schemas(table: str, text: str) -> None:
    expected: dict[str, Decision] = {}
    columns: list[Named] = []
    for entry in text.split(", "):
        parts = re.fullmatch(r"(-\?|[-?]|)(\w+) ([\w\[\]]+)(\*?)", entry)
        assert parts, entry
        mark, name, type_name, star = parts.groups()
        columns.append(Named(name, SHORT_TYPES.get(type_name, type_name), is_key=bool(star)))
        expected[name] = MARKS[mark]
    assert decisions(table, columns) == expected


def case(table: str) -> list[Named]:
    """Columns of a table of the cases that failed in use."""
    sql = "".join((PROJECT_ROOT / "tests" / "cases" / file).read_text(encoding="utf-8") for file in ("secret_names.sql", "awkward.sql"))
    (body,) = re.findall(rf"create table {table} \((.*)\);", sql)
    columns = (column.split() for column in body.split(", "))
    return [Named(name.strip('"'), SHORT_TYPES.get(kind, kind), is_key="key" in rest) for name, kind, *rest in columns]


def test_case_secrets_are_left_out() -> None:
    found = decisions("copied_though_secret", case("copied_though_secret"))
    assert [name for name, decision in found.items() if decision is not Decision.LEFT_OUT] == ["id"]


@pytest.mark.parametrize("table", ["dropped_though_harmless", "webhook_runs", "phone_type"])
def test_case_harmless_names_are_read(table: str) -> None:
    found = decisions(table, case(table))
    assert {name: decision for name, decision in found.items() if decision is not Decision.READ} == (
        {"pin_code": Decision.LEFT_OUT_IN_DOUBT} if table == "dropped_though_harmless" else {}
    )


def test_case_stores_and_connections() -> None:
    assert [name for name, decision in decisions("variable", case("variable")).items() if decision is Decision.LEFT_OUT] == ["val"]
    connection = decisions("connection", case("connection"))
    assert [name for name, decision in connection.items() if decision is Decision.LEFT_OUT] == ["login", "password", "extra", "host"]


def test_case_mixed_table() -> None:
    found = decisions("keyed", case("keyed"))
    read = (
        "key token_count tokens_used tokenizer max_output_tokens phone_model secretary session_id birth_rate email_count is_secret latitude"
    )
    assert {name for name, decision in found.items() if decision is Decision.READ} == set(read.split())
    assert {name for name, decision in found.items() if decision is not Decision.LEFT_OUT} == {*read.split(), "pin_code"}


@pytest.mark.parametrize(
    "type_name", ["boolean", "timestamp(3) with time zone", "integer", "double precision", "bigint[]", "numeric(10,2)"]
)
@pytest.mark.parametrize("name", ["password", "token", "email", "api_key", "webhook", "cookie"])
def test_no_number_time_or_truth_is_a_password(name: str, type_name: str) -> None:
    assert decisions("t", [Named(name, type_name)]) == {name: Decision.READ}


@pytest.mark.parametrize(("name", "type_name"), [("dob", "date"), ("birth_year", "smallint"), ("national_id", "bigint"), ("ip", "inet")])
def test_some_secrets_are_numbers_or_dates(name: str, type_name: str) -> None:
    assert decisions("t", [Named(name, type_name)]) == {name: Decision.LEFT_OUT}


def test_unknown_word_after_a_secret_is_for_a_person_to_decide() -> None:
    verdict = judge("t", [Named("password_zebra", "text")])["password_zebra"]
    assert (verdict.decision, verdict.reason) == (Decision.LEFT_OUT_IN_DOUBT, "it begins like the name of a secret")


CERTAIN = [" ".join(phrase) for group in secret_words.GROUPS if group.is_certain for phrase in group.phrases]


@given(st.sampled_from(CERTAIN), st.sampled_from(["snake", "camel", "together", "spaced"]), st.sampled_from(["", "2"]))
def test_every_phrase_is_found_however_it_is_written(phrase: str, style: str, number: str) -> None:
    words = phrase.split()
    name = {
        "snake": "_".join(words),
        "camel": words[0] + "".join(word.title() for word in words[1:]),
        "together": "".join(words),
        "spaced": " ".join(word.title() for word in words),
    }[style]
    found = decisions("t", [Named(name + number, "text")])
    assert list(found.values()) == [Decision.LEFT_OUT], name


def test_every_phrase_is_there_once() -> None:
    phrases = list(itertools.chain(*(group.phrases for group in secret_words.GROUPS), secret_words.HARMLESS))
    assert sorted({phrase for phrase in phrases if phrases.count(phrase) > 1}) == []


@given(st.text(max_size=63), st.text(max_size=63), st.text(max_size=20), st.booleans())
def test_any_name_gets_a_verdict(table: str, name: str, type_name: str, is_key: bool) -> None:
    verdict = judge(table, [Named(name, type_name, is_key)])[name]
    assert bool(verdict.reason) == (verdict.decision is not Decision.READ)
