"""Read texts that may be no times."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_DATE = "(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"[T ](([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?|24:00|24:00:00)"
_ZONE = "(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"


def upgrade() -> None:
    """Create time_or_null."""
    # Days after the 28th are held against their month's end. It is one expression and stable, as its casts are, so that PostgreSQL puts it
    # in the place of the call. Only from version 16 on can PostgreSQL be asked whether a text is a time.
    op.execute(
        f"""
        create function ops.time_or_null(value text) returns timestamp language sql stable parallel safe as
        $function$
        select
            case
                when value !~ '^{_DATE}({_CLOCK}{_ZONE}?)?$' then null
                when
                    substr(value, 9, 2) > '28'
                    and extract(day from cast(substr(value, 1, 8) || '01' as date) + interval '1 month' - interval '1 day')
                        < cast(substr(value, 9, 2) as integer)
                    then null
                when substr(value, 11) ~ '[Z+-]' then cast(value as timestamp with time zone) at time zone 'UTC'
                else cast(value as timestamp)
            end
        $function$
        """
    )
    op.execute(
        "comment on function ops.time_or_null is 'A text in the form of ISO 8601 as a time in UTC; null where it is none of the calendar'"
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("drop function ops.time_or_null cascade")
