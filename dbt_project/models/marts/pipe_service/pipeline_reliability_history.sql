with published as (

    select * from {{ ref('pipeline_reliability') }}

),

final as (

    select
        *,
        refreshed_at as valid_from,
        cast(null as {{ type_timestamp_tz() }}) as valid_to
    from published

)

select * from final
