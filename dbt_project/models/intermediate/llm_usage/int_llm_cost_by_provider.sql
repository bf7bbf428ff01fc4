with steps as (

    select * from {{ ref('int_llm_steps_dated') }}

),

final as (

    select
        tenant_id,
        started_on,
        step,
        llm_model,
        said_provider,
        {{ sums_of_calls() }},
        {{ refresh_columns() }}
    from steps
    where is_call
    group by tenant_id, started_on, step, llm_model, said_provider

)

select * from final
