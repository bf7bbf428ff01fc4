with job_runs as (

    select
        *,
        {{ utc_date('queued_at') }} as queued_on
    from {{ ref('int_job_runs_described') }}
    where has_project

),

files as (

    select
        job_run_id,
        job_run_created_at,
        count(*) as result_files,
        sum(size_bytes) as result_bytes
    from {{ ref('stg_materials_jobs__files') }}
    group by job_run_id, job_run_created_at

),

final as (

    select
        job_runs.queued_on,
        job_runs.project_id,
        job_runs.project_name,
        job_runs.job_type,
        count(*) as run_count,
        count(*) filter (where job_runs.status = 'queued') as queued_runs,
        count(*) filter (where job_runs.status = 'running') as running_runs,
        count(*) filter (where job_runs.status = 'success') as succeeded_runs,
        count(*) filter (where job_runs.status = 'failed') as failed_runs,
        count(*) filter (where job_runs.status not in ('queued', 'running', 'success', 'failed')) as unknown_runs,
        count(*) filter (where job_runs.exit_code = 0) as exit_zero_runs,
        count(*) filter (where job_runs.exit_code > 0) as exit_error_runs,
        count(*) filter (where job_runs.exit_code < 0) as killed_runs,
        count(distinct job_runs.job_id) as job_count,
        count(*) filter (where job_runs.run_number > 1) as repeated_runs,
        cast(count(*) as {{ type_double() }}) / count(distinct job_runs.job_id) as attempts_per_job,
        percentile_cont(0.5) within group (order by job_runs.queue_wait_seconds nulls last)
        filter (where job_runs.queue_wait_seconds is not null) as queue_wait_p50_seconds,
        percentile_cont(0.95) within group (order by job_runs.queue_wait_seconds nulls last)
        filter (where job_runs.queue_wait_seconds is not null) as queue_wait_p95_seconds,
        percentile_cont(0.5) within group (order by job_runs.wall_time_seconds nulls last)
        filter (where job_runs.wall_time_seconds is not null) as wall_time_p50_seconds,
        percentile_cont(0.95) within group (order by job_runs.wall_time_seconds nulls last)
        filter (where job_runs.wall_time_seconds is not null) as wall_time_p95_seconds,
        {{ aggregate_in_order('sum', 'job_runs.wall_time_seconds', 'job_runs.job_run_id nulls last') }} as wall_time_total_seconds,
        cast(coalesce(sum(files.result_files), 0) as bigint) as result_files,
        cast(coalesce(sum(files.result_bytes), 0) as bigint) as result_bytes,
        {{ refresh_columns() }}
    from job_runs
    left join files
        on
            job_runs.job_run_id = files.job_run_id
            and job_runs.job_run_created_at = files.job_run_created_at
    group by job_runs.queued_on, job_runs.project_id, job_runs.project_name, job_runs.job_type

)

select * from final
