with steps as (

    select * from {{ ref('stg_llm_usage__steps') }}

),

final as (

    select
        'llm_usage' as system_name,
        tenant_id,
        step_id,
        tenant_id || ':' || cast(step_id as {{ type_text() }}) as execution_id,
        tenant_id || ':' || cast(run_id as {{ type_text() }}) as parent_execution_id,
        tenant_id as group_id,
        tenant_id as group_name,
        'llm_step' as execution_kind,
        step as execution_name,
        cast(null as {{ type_text() }}) as started_by,
        case
            when status in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'paused') then status
            else 'unknown'
        end as status,
        source_status,
        -- What a step failed with may be a customer's own words, which do not leave the tenant.
        cast(null as {{ type_text() }}) as error_message,
        false as is_deleted,
        latency_seconds as duration_seconds,
        started_at,
        completed_at as ended_at
    from steps

)

select * from final
