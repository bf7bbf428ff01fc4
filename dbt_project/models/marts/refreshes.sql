{{ config(materialized='mart_view') }}

with refreshes as (

    select * from {{ ref('stg_ops__refreshes') }}

),

final as (

    select
        refresh_id,
        started_at,
        published_at,
        is_full,
        is_complete,
        source_batch_ids,
        rows_by_mart
    from refreshes

)

select * from final
