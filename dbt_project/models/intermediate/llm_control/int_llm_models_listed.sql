with models as (

    select * from {{ ref('stg_llm_control__llm_models') }}

),

counted as (

    select
        model_name as llm_model,
        min(provider_id) as provider,
        count(distinct provider_id) as providers
    from models
    group by model_name

),

-- A name that two providers give to their models says nothing of who was called.
final as (

    select
        llm_model,
        case when providers = 1 then provider end as provider,
        {{ refresh_columns() }}
    from counted

)

select * from final
