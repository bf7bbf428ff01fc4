{{ config(materialized='mart_view') }}

with published as (

    select * from {{ source('ops', 'refreshes') }}

),

final as (

    select
        refresh_id,
        started_at,
        published_at,
        is_full,
        is_complete,
        batches as source_batch_ids,
        marts as rows_by_mart
    from published

)

select * from final
