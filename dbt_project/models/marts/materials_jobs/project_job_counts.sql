with projects as (

    select * from {{ ref('stg_materials_jobs__projects') }}

),

users as (

    select * from {{ ref('stg_materials_jobs__users') }}

),

jobs as (

    select * from {{ ref('stg_materials_jobs__jobs') }}

),

final as (

    select
        projects.id as project_id,
        projects.name as project_name,
        users.username as owner_name,
        projects.is_public,
        count(jobs.id) as job_count,
        count(*) filter (where jobs.status = 'pending') as pending_jobs,
        count(*) filter (where jobs.status = 'running') as running_jobs,
        count(*) filter (where jobs.status = 'success') as succeeded_jobs,
        count(*) filter (where jobs.status = 'failed') as failed_jobs,
        {{ utc('max(jobs.created_at)') }} as last_job_created_at,
        {{ refresh_columns() }}
    from projects
    left join users on projects.owner_id = users.id
    left join jobs on projects.id = jobs.project_id
    group by projects.id, projects.name, users.username, projects.is_public

)

select * from final
