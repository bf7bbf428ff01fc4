with

-- The first line that is not blank.
lines as (
    select
        id,
        (
            select btrim(line, E' \t\r')
            from regexp_split_to_table(error_message, '\n') with ordinality as split (line, number)
            where btrim(line, E' \t\r') <> ''
            order by number
            limit 1
        ) as line
    from pipeline_runs
),

-- Identifiers before numbers, which they are partly made of: UUIDs, what begins with 0x, and twelve hexadecimal digits or more.
without_uuids as (
    select id, regexp_replace(line, '\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M', '<id>', 'gi') as line from lines
),

without_addresses as (
    select id, regexp_replace(line, '\m0x[0-9a-f]+\M', '<id>', 'gi') as line from without_uuids
),

without_digests as (
    select id, regexp_replace(line, '\m(?=[a-f]*[0-9])[0-9a-f]{12,}\M', '<id>', 'gi') as line from without_addresses
),

without_times as (
    select id, regexp_replace(line, '\m\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[-+]\d\d(?::?\d\d)?|Z)?)?\M|\m\d{8}T\d{6}Z?\M', '<time>', 'gi') as line from without_digests
),

-- A number that is part of a word or of a version is none.
classes as (
    select id, left(regexp_replace(line, '(?<![\w.])[-+]?(\d+([.,]\d+)*|\.\d+)(e[-+]?\d+)?(?!\w)', '<number>', 'gi'), 200) as error_class
    from without_times
)

select
    'pipe_service:' || pipeline_runs.id as execution_key,
    'pipe_service' as system_name,
    pipeline_runs.id::text as execution_id,
    null as parent_execution_id,
    pipeline_runs.pipeline_id::text as group_id,
    pipelines.name as group_name,
    'pipeline_run' as execution_kind,
    pipelines.name as execution_name,
    pipeline_runs.created_by::text as started_by,
    case pipeline_runs.status
        when 'queued' then 'queued'
        when 'running' then 'running'
        when 'completed' then 'succeeded'
        when 'failed' then 'failed'
        when 'cancelled' then 'cancelled'
        else 'unknown'
    end as status,
    pipeline_runs.status as source_status,
    classes.error_class,
    false as is_deleted,
    pipeline_runs.status = 'running' and %(now)s - pipeline_runs.started_at > interval '24 hours' as is_zombie,
    extract(epoch from pipeline_runs.completed_at - pipeline_runs.started_at)::double precision as duration_seconds,
    pipeline_runs.started_at at time zone 'UTC' as started_at,
    pipeline_runs.completed_at at time zone 'UTC' as ended_at,
    (pipeline_runs.started_at at time zone 'UTC')::date as started_on
from pipeline_runs
inner join classes on pipeline_runs.id = classes.id
left join pipelines on pipeline_runs.pipeline_id = pipelines.id
