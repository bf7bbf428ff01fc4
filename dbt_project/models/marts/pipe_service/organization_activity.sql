with runs as (

    select
        pipelines.organization_id,
        executions.pipeline_id,
        executions.started_by,
        executions.status,
        executions.duration_seconds,
        executions.execution_id,
        {{ utc_date('executions.started_at') }} as active_on
    from {{ ref('int_pipe_service__executions') }} as executions
    inner join {{ ref('stg_pipe_service__pipelines') }} as pipelines on executions.pipeline_id = pipelines.pipeline_id

),

files as (

    select
        organization_id,
        size_bytes,
        {{ utc_date(utc('created_at')) }} as active_on
    from {{ ref('stg_pipe_service__storage_files') }}

),

members as (

    select
        organization_id,
        {{ utc_date(utc('joined_at')) }} as active_on
    from {{ ref('stg_pipe_service__organization_members') }}

),

organizations as (

    select * from {{ ref('stg_pipe_service__organizations') }}

),

run_totals as (

    select
        organization_id,
        active_on,
        count(*) as runs_started,
        count(*) filter (where status = 'succeeded') as runs_succeeded,
        count(*) filter (where status = 'failed') as runs_failed,
        count(distinct pipeline_id) as active_pipelines,
        count(distinct started_by) as active_users,
        {{ aggregate_in_order('sum', usable('duration_seconds'), 'execution_id nulls last') }} as run_duration_seconds
    from runs
    group by organization_id, active_on

),

file_totals as (

    select
        organization_id,
        active_on,
        count(*) as files_stored,
        cast(sum(size_bytes) as numeric(38, 0)) as bytes_stored
    from files
    group by organization_id, active_on

),

member_totals as (

    select
        organization_id,
        active_on,
        count(*) as members_joined
    from members
    group by organization_id, active_on

),

days as (

    select
        organization_id,
        active_on
    from run_totals
    union
    select
        organization_id,
        active_on
    from file_totals
    union
    select
        organization_id,
        active_on
    from member_totals

),

final as (

    select
        days.organization_id,
        organizations.organization_name,
        days.active_on,
        coalesce(run_totals.runs_started, 0) as runs_started,
        coalesce(run_totals.runs_succeeded, 0) as runs_succeeded,
        coalesce(run_totals.runs_failed, 0) as runs_failed,
        coalesce(run_totals.active_pipelines, 0) as active_pipelines,
        coalesce(run_totals.active_users, 0) as active_users,
        run_totals.run_duration_seconds,
        coalesce(file_totals.files_stored, 0) as files_stored,
        cast(coalesce(file_totals.bytes_stored, 0) as numeric(38, 0)) as bytes_stored,
        coalesce(member_totals.members_joined, 0) as members_joined,
        {{ refresh_columns() }}
    from days
    inner join organizations on days.organization_id = organizations.organization_id
    left join run_totals on days.organization_id = run_totals.organization_id and days.active_on = run_totals.active_on
    left join file_totals on days.organization_id = file_totals.organization_id and days.active_on = file_totals.active_on
    left join member_totals on days.organization_id = member_totals.organization_id and days.active_on = member_totals.active_on

)

select * from final
