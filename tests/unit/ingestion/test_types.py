"""Which types hold every value of another one, unchanged."""

import pytest

from dagster_project.ingestion.types import is_widened

WIDER = [
    ("smallint", "integer"),
    ("smallint", "bigint"),
    ("integer", "numeric"),
    ("integer[]", "bigint[]"),
    ("real", "double precision"),
    ("numeric(12,3)", "numeric(13,4)"),
    ("numeric(12,3)", "numeric"),
    ("character varying(40)", "character varying(41)"),
    ("character varying(40)", "character varying"),
    ("character varying(40)", "text"),
    ("timestamp(3) without time zone", "timestamp without time zone"),
    ("bit varying(3)", "bit varying"),
]

NOT_WIDER = [
    *((wider, narrower) for narrower, wider in WIDER),
    ("integer", "double precision"),
    ("bigint", "double precision"),
    ("integer", "numeric(5,0)"),
    ("numeric(12,3)", "numeric(12,4)"),
    ("numeric", "double precision"),
    ("text", "character varying"),
    ("timestamp without time zone", "timestamp with time zone"),
    ("date", "timestamp without time zone"),
    ("integer", "bigint[]"),
    ("bit(3)", "bit(4)"),
    ("character(3)", "character(4)"),
    ("uuid", "text"),
    ("jsonb", "text"),
]


@pytest.mark.parametrize(("old", "new"), WIDER)
def test_wider(old: str, new: str) -> None:
    assert is_widened(old, new)


@pytest.mark.parametrize(("old", "new"), NOT_WIDER)
def test_not_wider(old: str, new: str) -> None:
    assert not is_widened(old, new)
