with registry as (

    select * from {{ ref('stg_forecast_tracking__model_registry') }}

),

-- The entry that says most of a model: its highest stage, and there the newest.
positioned as (

    select
        *,
        count(*) over (partition by model_id) as registry_entries,
        row_number() over (
            partition by model_id
            order by
                case current_stage when 'production' then 1 when 'staging' then 2 when 'archived' then 3 else 4 end nulls last,
                coalesce(stage_changed_at, created_at) desc nulls first,
                registry_id desc nulls first
        ) as position_by_stage
    from registry

),

final as (

    select
        model_id,
        registered_model_name,
        model_version as registered_version,
        current_stage as registry_stage,
        registry_entries
    from positioned
    where position_by_stage = 1

)

select * from final
