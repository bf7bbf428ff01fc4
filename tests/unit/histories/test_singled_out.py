"""What SQL singles out is found under the name that a column has at the source, whatever it is called on the way."""

import pytest

from tests.histories.singled_out import SingledOut, literals_of, singled_out

COLUMNS = ("kind", "amount", "paid_at", "details", "note")
STAGING = "with source as (select * from raw.t) select kind as type, amount, paid_at, details, note from source"


def said(*queries: str) -> SingledOut:
    return singled_out(COLUMNS, [STAGING], queries)


@pytest.mark.parametrize(
    ("condition", "column", "literals"),
    [
        ("type = 'a'", "kind", {"a": 1}),
        ("'a' <> t.type", "kind", {"a": 1}),
        ("lower(type) in ('a', 'b')", "kind", {"a": 0.25, "b": 0.25}),
        ("regexp_replace(type, '[0-9]$', '') not in ('a')", "kind", {"a": 1}),
        ("case type when 'a' then 1 when 'b' then 2 end is null", "kind", {"a": 0.25, "b": 0.25}),
        ("type like 'a%'", "kind", {"a%": 1}),
        ("abs(amount) < 1e100", "amount", {"1e100": 1}),
        ("amount > -5", "amount", {"-5": 1}),
        ("amount between 1 and 2", "amount", {"1": 0.25, "2": 0.25}),
        ("grouping(type) = 0 and count(type) > 1", "kind", {}),
        ("type = note", "kind", {}),
        ("type || note = 'ab'", "kind", {}),
    ],
)
def test_literals_beside_a_column(condition: str, column: str, literals: dict[str, float]) -> None:
    assert said(f"select 1 from t where {condition}").literals[column] == literals


def test_a_column_goes_by_all_its_names() -> None:
    queries = ("select coalesce(type, 'none') as called from t", "select called as shown, type || note as both_of_them from u")
    assert said(*queries, "select 1 from v where shown = 'x' and both_of_them = 'y' and kind = 'z'").literals["kind"] == {"x": 1, "z": 1}


def test_one_of_few_weighs_more_than_one_of_many() -> None:
    weights = said("select type in ('a', 'b', 'c', 'd') as one_of, type = 'a' as one from t").literals["kind"]
    assert weights == {"a": 1.0625, "b": 0.0625, "c": 0.0625, "d": 0.0625}


def test_keys_of_documents_and_what_is_made_of_them() -> None:
    query = """
        select cast((t.details ->> 'at') as timestamp) as at, details -> 'in', cast(details ->> 'amount' as double precision),
            case when jsonb_typeof(details -> 'amount') = 'number' then 1 end
        from t
    """
    assert said(query).keys["details"] == {"at": {"timestamp"}, "in": set(), "amount": {"double precision"}}


def test_columns_by_which_rows_meet() -> None:
    assert said("select count(*) from t group by type").meeting == {"kind"}
    assert said("select row_number() over (partition by type order by amount) from t").meeting == {"kind"}
    assert said("select distinct note from t").meeting == {"note"}
    assert said("select 1 from t inner join u on t.type = u.other and t.amount > u.amount").meeting == {"kind"}
    assert said("select max(amount) from t where type = 'a'").meeting == set()


def test_columns_that_are_read() -> None:
    assert said("select max(amount) from t where type = 'a'").read == {"kind", "amount"}


@pytest.mark.parametrize(
    ("check", "literals"),
    [
        ("((status)::text = ANY ((ARRAY['open'::character varying, 'it''s'::character varying])::text[]))", {"open", "it's"}),
        ("((level > (0)::numeric) AND (level < (1)::numeric))", {"0", "1"}),
        ("(amount >= '-5'::integer)", {"-5"}),
        ("(framework ~ '^[a-z]*$'::text)", {"^[a-z]*$"}),
    ],
)
def test_literals_of_a_check(check: str, literals: set[str]) -> None:
    assert {*literals_of(check)} == literals
