with

runs as (
    select
        pipelines.organization_id,
        pipeline_runs.pipeline_id,
        pipeline_runs.created_by,
        pipeline_runs.status,
        pipeline_runs.completed_at - pipeline_runs.started_at as duration,
        (pipeline_runs.started_at at time zone 'UTC')::date as started_on
    from pipeline_runs
    inner join pipelines on pipeline_runs.pipeline_id = pipelines.id
),

files as (
    select organization_id, size, (created_at at time zone 'UTC')::date as stored_on from storage_files
),

members as (
    select organization_id, (joined_at at time zone 'UTC')::date as joined_on from organization_members
),

days as (
    select organization_id, started_on as active_on from runs
    union
    select organization_id, stored_on from files
    union
    select organization_id, joined_on from members
)

select
    days.organization_id,
    organizations.name as organization_name,
    days.active_on,
    runs_of_the_day.*,
    files_of_the_day.*,
    members_of_the_day.*
from days
inner join organizations on days.organization_id = organizations.id
cross join lateral (
    select
        count(*) as runs_started,
        count(*) filter (where status = 'completed') as runs_succeeded,
        count(*) filter (where status = 'failed') as runs_failed,
        count(distinct pipeline_id) as active_pipelines,
        count(distinct created_by) as active_users,
        extract(epoch from sum(duration))::double precision as run_duration_seconds
    from runs
    where runs.organization_id = days.organization_id and runs.started_on = days.active_on
) as runs_of_the_day
cross join lateral (
    select count(*) as files_stored, coalesce(sum(size), 0) as bytes_stored
    from files
    where files.organization_id = days.organization_id and files.stored_on = days.active_on
) as files_of_the_day
cross join lateral (
    select count(*) as members_joined
    from members
    where members.organization_id = days.organization_id and members.joined_on = days.active_on
) as members_of_the_day
