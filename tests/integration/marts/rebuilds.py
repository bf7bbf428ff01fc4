"""Refreshing marts, and holding what is published against a full rebuild.

Belongs here: what tests of refreshes share. Does not belong here: what changes in the source (`histories`).
"""

from tests.integration.marts.conftest import House


def refresh(house: House, *flags: str) -> None:
    """Build without tests, and publish; it must succeed."""
    house.build(flags=["--exclude-resource-type", "test", *flags])


def columns_of(house: House, mart: str, but: tuple[str, ...] = ()) -> str:
    """The columns of a published mart, but some, as a list in SQL."""
    ((columns,),) = house.warehouse(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        f" where attrelid = 'analytics.{mart}'::regclass and attnum > 0 and not attisdropped and attname <> all (%s)",
        list(but),
    )
    return str(columns)


def _differences(house: House, mart: str) -> list[tuple[str, str]]:
    """Rows that stand on one side only: published, or in the full rebuild that is not published. What names the refresh does not count."""
    columns = columns_of(house, mart, but=("refreshed_at", "source_batch_id"))
    published, rebuilt = (f"select row({columns})::text as image from {schema}.{mart}" for schema in ("analytics", "analytics_next"))
    return house.warehouse(
        f"select 'published' as side, image from ({published} except all {rebuilt}) as one"
        f" union all select 'rebuilt', image from ({rebuilt} except all {published}) as other order by 2, 1 limit 6"
    )


def differences_from_rebuild(house: House) -> dict[str, list[tuple[str, str]]]:
    """By mart, rows that a full rebuild, which is not published, would change; empty if it would change none."""
    house.build(flags=["--exclude-resource-type", "test", "--full-refresh"], publish=False)
    return {mart: found for mart in house.recomputed if (found := _differences(house, mart))}


def published(house: House) -> dict[str, str]:
    """Digests of all that analysts see, by mart."""
    return {
        mart: house.warehouse(f"select md5(string_agg(md5(r::text), '' order by md5(r::text))) from analytics.{mart} as r")[0][0]
        for mart in house.recomputed
    }
