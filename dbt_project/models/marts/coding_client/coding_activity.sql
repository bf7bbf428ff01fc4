with sessions as (

    select * from {{ ref('stg_coding_client__sessions') }}

),

file_operations as (

    select * from {{ ref('stg_coding_client__file_operations') }}

),

synchronisations as (

    select * from {{ ref('stg_coding_client__worktree_sync_history') }}

),

started as (

    select
        user_id,
        {{ utc_date(utc('created_at')) }} as active_on,
        count(*) as session_count
    from sessions
    where created_at is not null
    group by user_id, {{ utc_date(utc('created_at')) }}

),

operated as (

    select
        user_id,
        {{ utc_date(utc('operated_at')) }} as active_on,
        count(*) as file_operation_count,
        sum(case when operation_type = 'create' then 1 else 0 end) as create_count,
        sum(case when operation_type = 'update' then 1 else 0 end) as update_count,
        sum(case when operation_type = 'delete' then 1 else 0 end) as delete_count,
        sum(case when is_successful then 0 else 1 end) as failed_operation_count,
        count(distinct file_path) as file_count
    from file_operations
    group by user_id, {{ utc_date(utc('operated_at')) }}

),

synchronised as (

    select
        executed_by as user_id,
        {{ utc_date(utc('executed_at')) }} as active_on,
        count(*) as sync_count,
        sum(lines_added) as lines_added,
        sum(lines_deleted) as lines_deleted
    from synchronisations
    where executed_by is not null and executed_at is not null
    group by executed_by, {{ utc_date(utc('executed_at')) }}

),

days as (

    select
        user_id,
        active_on
    from started

    union distinct

    select
        user_id,
        active_on
    from operated

    union distinct

    select
        user_id,
        active_on
    from synchronised

),

final as (

    select
        days.user_id,
        days.active_on,
        coalesce(started.session_count, 0) as session_count,
        coalesce(operated.file_operation_count, 0) as file_operation_count,
        coalesce(operated.create_count, 0) as create_count,
        coalesce(operated.update_count, 0) as update_count,
        coalesce(operated.delete_count, 0) as delete_count,
        coalesce(operated.failed_operation_count, 0) as failed_operation_count,
        coalesce(operated.file_count, 0) as file_count,
        coalesce(synchronised.sync_count, 0) as sync_count,
        synchronised.lines_added,
        synchronised.lines_deleted,
        {{ refresh_columns() }}
    from days
    left join started on days.user_id = started.user_id and days.active_on = started.active_on
    left join operated on days.user_id = operated.user_id and days.active_on = operated.active_on
    left join synchronised on days.user_id = synchronised.user_id and days.active_on = synchronised.active_on

)

select * from final
