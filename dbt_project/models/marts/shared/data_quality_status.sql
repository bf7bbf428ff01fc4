{{ config(materialized='mart_view') }}

with verdicts as (

    select * from {{ source('quality', 'verdicts') }}

),

held_tables as (

    select * from {{ source('quality', 'held_tables') }}

),

held_marts as (

    select * from {{ source('quality', 'held_marts') }}

),

quarantine_reasons as (

    select
        system,
        table_name,
        reason || ' (' || cast(rows as {{ type_text() }}) || ')' as reason_text
    from {{ source('quality', 'quarantine_reasons') }}

),

table_states as (

    select * from {{ source('ops', 'table_state') }}

),

published_marts as (

    select * from {{ source('ops', 'published_marts') }}

),

refreshes as (

    select * from {{ source('ops', 'refreshes') }}

),

behind as (

    {{ tables_behind_marts() }}

),

checked as (

    select
        asset_key,
        max(validated_at) as last_validated_at,
        count(*) as checks,
        sum(case when is_success then 0 else 1 end) as failing_checks
    from verdicts
    group by asset_key

),

assets as (

    select
        table_states.system || '/' || table_states.table_name as asset_key,
        'raw table' as asset_kind,
        table_states.snapshot_at as fresh_as_of
    from table_states
    union all
    select
        'analytics/' || published_marts.mart as asset_key,
        'mart' as asset_kind,
        refreshes.started_at as fresh_as_of
    from published_marts
    inner join refreshes on published_marts.refresh_id = refreshes.refresh_id
    where published_marts.mart in (select behind.mart_name from behind)

),

-- What each asset is made of: a raw table of itself, a mart of the tables behind it.
made_of as (

    select
        system || '/' || table_name as asset_key,
        system as system_name,
        table_name,
        '' as which_table
    from table_states
    union all
    select
        'analytics/' || mart_name as asset_key,
        system_name,
        table_name,
        system_name || '/' || table_name || ' ' as which_table
    from behind

),

-- By a raw table, or by checks of marts.
reasons_to_hold as (

    select
        made_of.asset_key,
        held_tables.held_since,
        made_of.which_table || held_tables.reason as reason
    from made_of
    inner join held_tables on made_of.system_name = held_tables.system and made_of.table_name = held_tables.table_name
    union all
    select
        'analytics/' || held_marts.mart as asset_key,
        held_marts.held_since,
        held_marts.reason
    from held_marts

),

held as (

    select
        asset_key,
        min(held_since) as held_since,
        {{ list_in_order("reason", "reason nulls last", "; ") }} as held_because
    from reasons_to_hold
    group by asset_key

),

quarantined as (

    select
        made_of.asset_key,
        {{ list_in_order(
            "made_of.which_table || quarantine_reasons.reason_text",
            "made_of.which_table nulls last, quarantine_reasons.reason_text nulls last",
            "; ",
        ) }} as quarantined_because
    from made_of
    inner join quarantine_reasons
        on made_of.system_name = quarantine_reasons.system and made_of.table_name = quarantine_reasons.table_name
    group by made_of.asset_key

),

final as (

    select
        assets.asset_key,
        assets.asset_kind,
        assets.fresh_as_of,
        checked.last_validated_at,
        coalesce(checked.checks, 0) as checks,
        coalesce(checked.failing_checks, 0) as failing_checks,
        held.asset_key is not null as is_held_back,
        held.held_since,
        held.held_because,
        quarantined.asset_key is not null as misses_rows,
        quarantined.quarantined_because
    from assets
    left join checked on assets.asset_key = checked.asset_key
    left join held on assets.asset_key = held.asset_key
    left join quarantined on assets.asset_key = quarantined.asset_key

)

select * from final
