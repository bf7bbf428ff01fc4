with prompts as (

    select * from {{ ref('stg_llm_workflow__prompts') }}

),

steps as (

    select * from {{ ref('stg_llm_workflow__steps') }}

),

uses as (

    select
        step_name,
        prompt_version,
        count(*) as steps_used,
        count(distinct run_id) as runs_used,
        count(*) filter (where status = 'completed') as steps_succeeded,
        count(*) filter (where status = 'failed') as steps_failed,
        min(started_at) as first_used_at,
        max(started_at) as last_used_at
    from steps
    where prompt_version is not null
    group by step_name, prompt_version

),

final as (

    select
        prompts.prompt_id,
        prompts.step_name as step,
        prompts.prompt_version,
        prompts.is_active,
        coalesce(uses.steps_used, 0) as steps_used,
        coalesce(uses.runs_used, 0) as runs_used,
        uses.first_used_at,
        uses.last_used_at,
        cast(uses.steps_succeeded as {{ type_double() }}) / nullif(uses.steps_succeeded + uses.steps_failed, 0) as success_rate,
        {{ refresh_columns() }}
    from prompts
    left join uses on prompts.step_name = uses.step_name and prompts.prompt_version = uses.prompt_version

)

select * from final
