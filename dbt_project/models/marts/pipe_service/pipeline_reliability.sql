with pipelines as (

    select * from {{ ref('stg_pipe_service__pipelines') }}

),

organizations as (

    select * from {{ ref('stg_pipe_service__organizations') }}

),

executions as (

    select
        *,
        {{ utc_date('started_at') }} as started_on
    from {{ ref('int_pipe_service__executions') }}

),

ended as (

    select
        *,
        {{ utc_date('started_at') }} as started_on
    from {{ ref('int_pipeline_runs_ended') }}

),

daily as (

    select
        pipeline_id,
        started_on,
        count(*) as total_runs,
        count(*) filter (where status = 'succeeded') as succeeded_runs,
        count(*) filter (where status = 'failed') as failed_runs,
        count(*) filter (where status = 'cancelled') as cancelled_runs,
        count(*) filter (where status = 'running') as running_runs,
        count(*) filter (where status = 'queued') as queued_runs,
        count(*) filter (where status = 'unknown') as unknown_runs,
        percentile_cont(0.5) within group (order by duration_seconds nulls last)
        filter (where {{ is_usable('duration_seconds') }}) as duration_p50_seconds,
        percentile_cont(0.95) within group (order by duration_seconds nulls last)
        filter (where {{ is_usable('duration_seconds') }}) as duration_p95_seconds
    from executions
    group by pipeline_id, started_on

),

before as (

    select
        daily.pipeline_id,
        daily.started_on,
        percentile_cont(0.5) within group (order by executions.duration_seconds nulls last)
        filter (where {{ is_usable('executions.duration_seconds') }}) as duration_p50_seconds,
        percentile_cont(0.95) within group (order by executions.duration_seconds nulls last)
        filter (where {{ is_usable('executions.duration_seconds') }}) as duration_p95_seconds
    from daily
    inner join executions
        on
            daily.pipeline_id = executions.pipeline_id
            and daily.started_on > executions.started_on
            and daily.started_on - interval '30 days' <= executions.started_on
    group by daily.pipeline_id, daily.started_on

),

-- What came before each run that ended. A success after failures ends an outage, which began with the first of them.
followed as (

    select
        ended.*,
        previous.is_failure as is_after_failure,
        previous.failing_since as outage_began_at,
        previous.started_at as failure_started_at
    from ended
    left join ended as previous on ended.pipeline_id = previous.pipeline_id and ended.run_number = previous.run_number + 1

),

-- The outages that ended and the failures that happened on a day or in the 29 days before.
recent as (

    select
        daily.pipeline_id,
        daily.started_on,
        count(*) filter (where followed.is_failure) as failures,
        min(followed.started_at) filter (where followed.is_failure) as first_failure_at,
        max(followed.started_at) filter (where followed.is_failure) as last_failure_at,
        count(*) filter (where not followed.is_failure and followed.is_after_failure) as recoveries,
        {{ aggregate_in_order(
            'sum',
            'case when not followed.is_failure and followed.is_after_failure then '
            ~ seconds_between('followed.outage_began_at', 'followed.ended_at') ~ ' end',
            'followed.run_number nulls last'
        ) }} as outage_seconds,
        max(followed.run_number) as last_run_number
    from daily
    inner join followed
        on
            daily.pipeline_id = followed.pipeline_id
            and daily.started_on >= followed.started_on
            and daily.started_on - interval '30 days' < followed.started_on
    group by daily.pipeline_id, daily.started_on

),

-- Only the last change of a pipeline is known.
flaky as (

    select
        followed.pipeline_id,
        followed.started_on,
        count(*) as flaky_runs
    from followed
    inner join pipelines on followed.pipeline_id = pipelines.pipeline_id
    where
        followed.is_after_failure
        and not followed.is_failure
        and not {{ utc('pipelines.updated_at') }} between followed.failure_started_at and followed.started_at
    group by followed.pipeline_id, followed.started_on

),

final as (

    select
        daily.pipeline_id,
        pipelines.pipeline_name,
        pipelines.organization_id,
        organizations.organization_name,
        daily.started_on,
        daily.total_runs,
        daily.succeeded_runs,
        daily.failed_runs,
        daily.cancelled_runs,
        daily.running_runs,
        daily.queued_runs,
        daily.unknown_runs,
        cast(daily.succeeded_runs as {{ type_double() }}) / nullif(daily.succeeded_runs + daily.failed_runs, 0) as success_rate,
        daily.duration_p50_seconds,
        daily.duration_p95_seconds,
        {{ ratio('daily.duration_p50_seconds', 'before.duration_p50_seconds') }} as duration_p50_ratio,
        {{ ratio('daily.duration_p95_seconds', 'before.duration_p95_seconds') }} as duration_p95_ratio,
        {{ seconds_between('recent.first_failure_at', 'recent.last_failure_at') }}
        / nullif(recent.failures - 1, 0) as seconds_between_failures,
        recent.outage_seconds / nullif(recent.recoveries, 0) as seconds_to_recovery,
        coalesce(ended.consecutive_failures, 0) as consecutive_failures,
        coalesce(flaky.flaky_runs, 0) as flaky_runs,
        {{ refresh_columns() }}
    from daily
    inner join pipelines on daily.pipeline_id = pipelines.pipeline_id
    left join organizations on pipelines.organization_id = organizations.organization_id
    left join before on daily.pipeline_id = before.pipeline_id and daily.started_on = before.started_on
    left join recent on daily.pipeline_id = recent.pipeline_id and daily.started_on = recent.started_on
    left join ended on recent.pipeline_id = ended.pipeline_id and recent.last_run_number = ended.run_number
    left join flaky on daily.pipeline_id = flaky.pipeline_id and daily.started_on = flaky.started_on

)

select * from final
