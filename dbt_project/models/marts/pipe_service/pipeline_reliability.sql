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
        previous.started_at as failure_started_at,
        case when previous.is_failure and not ended.is_failure then {{ utc_date('ended.ended_at') }} end as recovered_on,
        {{ seconds_between('previous.failing_since', 'ended.ended_at') }} as seconds_since_failing
    from ended
    left join ended as previous on ended.pipeline_id = previous.pipeline_id and ended.run_number = previous.run_number + 1

),

-- The failures that started on a day or in the 29 days before.
failures as (

    select
        daily.pipeline_id,
        daily.started_on,
        count(*) as failed_runs,
        min(ended.started_at) as first_started_at,
        max(ended.started_at) as last_started_at
    from daily
    inner join ended
        on
            daily.pipeline_id = ended.pipeline_id
            and daily.started_on >= ended.started_on
            and daily.started_on - interval '30 days' < ended.started_on
    where ended.is_failure
    group by daily.pipeline_id, daily.started_on

),

-- The outages that ended on a day or in the 29 days before.
recoveries as (

    select
        daily.pipeline_id,
        daily.started_on,
        {{ aggregate_in_order('avg', 'followed.seconds_since_failing', 'followed.run_number nulls last') }} as seconds_to_recovery
    from daily
    inner join followed
        on
            daily.pipeline_id = followed.pipeline_id
            and daily.started_on >= followed.recovered_on
            and daily.started_on - interval '30 days' < followed.recovered_on
    group by daily.pipeline_id, daily.started_on

),

-- Runs that ended are numbered by their start, so the number of those until the end of a day is that of the last one.
standing as (

    select
        pipeline_id,
        started_on,
        sum(succeeded_runs + failed_runs) over (
            partition by pipeline_id order by started_on nulls last rows between unbounded preceding and current row
        ) as last_run_number
    from daily

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
        {{ seconds_between('failures.first_started_at', 'failures.last_started_at') }}
        / nullif(failures.failed_runs - 1, 0) as seconds_between_failures,
        recoveries.seconds_to_recovery,
        coalesce(ended.consecutive_failures, 0) as consecutive_failures,
        coalesce(flaky.flaky_runs, 0) as flaky_runs,
        {{ refresh_columns() }}
    from daily
    inner join pipelines on daily.pipeline_id = pipelines.pipeline_id
    left join organizations on pipelines.organization_id = organizations.organization_id
    left join before on daily.pipeline_id = before.pipeline_id and daily.started_on = before.started_on
    left join failures on daily.pipeline_id = failures.pipeline_id and daily.started_on = failures.started_on
    left join recoveries on daily.pipeline_id = recoveries.pipeline_id and daily.started_on = recoveries.started_on
    inner join standing on daily.pipeline_id = standing.pipeline_id and daily.started_on = standing.started_on
    left join ended on standing.pipeline_id = ended.pipeline_id and standing.last_run_number = ended.run_number
    left join flaky on daily.pipeline_id = flaky.pipeline_id and daily.started_on = flaky.started_on

)

select * from final
