with

-- The last line that the log of a run has of an error; of that the first line that is not blank.
lines as (
    select
        run_id,
        (
            select btrim(line, E' \t\r')
            from
                regexp_split_to_table(
                    (
                        select log_message
                        from system_logs
                        where system_logs.run_id = runs.run_id and log_level in ('ERROR', 'CRITICAL')
                        order by created_at desc, log_id desc
                        limit 1
                    ),
                    '\n'
                ) with ordinality as split (line, number)
            where btrim(line, E' \t\r') <> ''
            order by number
            limit 1
        ) as line
    from runs
),

-- Identifiers before numbers, which they are partly made of: UUIDs, what begins with 0x, and twelve hexadecimal digits or more.
without_uuids as (
    select run_id, regexp_replace(line, '\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M', '<id>', 'gi') as line from lines
),

without_addresses as (
    select run_id, regexp_replace(line, '\m0x[0-9a-f]+\M', '<id>', 'gi') as line from without_uuids
),

without_digests as (
    select run_id, regexp_replace(line, '\m(?=[a-f]*[0-9])[0-9a-f]{12,}\M', '<id>', 'gi') as line from without_addresses
),

without_times as (
    select run_id, regexp_replace(line, '\m\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[-+]\d\d(?::?\d\d)?|Z)?)?\M|\m\d{8}T\d{6}Z?\M', '<time>', 'gi') as line from without_digests
),

-- A number that is part of a word or of a version is none.
classes as (
    select run_id, left(regexp_replace(line, '(?<![\w.])[-+]?(\d+([.,]\d+)*|\.\d+)(e[-+]?\d+)?(?!\w)', '<number>', 'gi'), 200) as error_class
    from without_times
)

select
    'forecast_tracking:' || runs.run_id as execution_key,
    'forecast_tracking' as system_name,
    runs.run_id::text as execution_id,
    runs.parent_run_id::text as parent_execution_id,
    runs.experiment_id::text as group_id,
    experiments.experiment_name as group_name,
    'training_run' as execution_kind,
    runs.run_name as execution_name,
    runs.user_id as started_by,
    case runs.status
        when 'scheduled' then 'queued'
        when 'running' then 'running'
        when 'completed' then 'succeeded'
        when 'failed' then 'failed'
        when 'killed' then 'cancelled'
        else 'unknown'
    end as status,
    runs.status as source_status,
    classes.error_class,
    runs.deleted_at is not null as is_deleted,
    runs.status = 'running' and %(now)s at time zone 'UTC' - runs.start_time > interval '24 hours' as is_zombie,
    coalesce(
        runs.execution_duration_seconds::double precision,
        extract(epoch from runs.end_time - runs.start_time)::double precision
    ) as duration_seconds,
    runs.start_time as started_at,
    runs.end_time as ended_at,
    runs.start_time::date as started_on
from runs
inner join classes on runs.run_id = classes.run_id
left join experiments on runs.experiment_id = experiments.experiment_id
