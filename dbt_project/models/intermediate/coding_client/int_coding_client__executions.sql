with sessions as (

    select * from {{ ref('stg_coding_client__sessions') }}

),

projects as (

    select * from {{ ref('stg_coding_client__projects') }}

),

users as (

    select * from {{ ref('stg_coding_client__users') }}

),

timed as (

    select
        *,
        {{ utc('created_at') }} as started_at,
        case when status in ('stopped', 'error') then {{ utc('last_accessed_at') }} end as ended_at
    from sessions

),

final as (

    select
        'coding_client' as system_name,
        cast(timed.id as {{ type_text() }}) as execution_id,
        cast(null as {{ type_text() }}) as parent_execution_id,
        cast(timed.project_id as {{ type_text() }}) as group_id,
        cast(projects.name as {{ type_text() }}) as group_name,
        'coding_session' as execution_kind,
        cast(timed.name as {{ type_text() }}) as execution_name,
        cast(users.username as {{ type_text() }}) as started_by,
        case timed.status
            when 'starting' then 'queued'
            when 'running' then 'running'
            when 'stopping' then 'running'
            when 'stopped' then 'paused'
            when 'error' then 'failed'
            else 'unknown'
        end as status,
        cast(timed.status as {{ type_text() }}) as source_status,
        cast(null as {{ type_text() }}) as error_message,
        false as is_deleted,
        {{ seconds_between('timed.started_at', 'timed.ended_at') }} as duration_seconds,
        timed.started_at,
        timed.ended_at
    from timed
    left join projects on timed.project_id = projects.id
    left join users on timed.user_id = users.id

)

select * from final
