with executions as (
    select
        run.*,
        job.name as job_name,
        job.project_id,
        job.created_by,
        -- Further lines and blanks at the ends do not count.
        btrim(split_part(btrim(run.metadata ->> 'error', e' \t\r\n'), e'\n', 1), e' \t\r') as first_line
    from app.job_runs as run
    inner join app.jobs as job on job.id = run.job_id
),

-- UUIDs, times, signed numbers, words with their parts after dots, and single characters; of several that fit, the longest.
tokens as (
    select
        execution.id,
        token.number,
        token.match[1] as word
    from executions as execution
    cross join lateral regexp_matches(
        execution.first_line,
        '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?!\w)|'
        '\m\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[-+]\d\d(?::?\d\d)?|Z)?)?\M|\m\d{8}T\d{6}Z?\M|'
        '(?:(?<!\w)[-+])?\.?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)|\w+|[[:alpha:]_]\w*(?:\.\w+)+|.',
        'gi'
    ) with ordinality as token (match, number)
),

classes as (
    select
        id,
        string_agg(
            case
                when word ~* '^[0-9a-f]{8}-.{14}-[0-9a-f]{12}$' or word ~* '^0x[0-9a-f]+$' then '<id>'
                when length(word) >= 12 and word ~* '^[0-9a-f]+$' and word ~ '\d' then '<id>'
                when word ~* '^\d{4}-\d\d-\d\d' or word ~* '^\d{8}T\d{6}' then '<time>'
                when word ~* '^[-+]?\.?\d+([.,]\d+)*(e[-+]?\d+)?$' then '<number>'
                else word
            end,
            '' order by number
        ) as error_class
    from tokens
    group by id
)

select
    'materials_jobs:' || id as execution_key,
    'materials_jobs' as system_name,
    id::text as execution_id,
    null::text as parent_execution_id,
    project_id::text as group_id,
    (select p.name from app.projects as p where p.id = execution.project_id) as group_name,
    'simulation_run' as execution_kind,
    job_name as execution_name,
    (select u.username from app.users as u where u.id = execution.created_by) as started_by,
    case status
        when 'queued' then 'queued'
        when 'running' then 'running'
        when 'success' then 'succeeded'
        when 'failed' then 'failed'
        else 'unknown'
    end as status,
    status as source_status,
    (select left(c.error_class, 200) from classes as c where c.id = execution.id) as error_class,
    false as is_deleted,
    coalesce(status = 'running' and started_at < %(now)s - interval '24 hours', false) as is_zombie,
    extract(epoch from finished_at - started_at)::double precision as duration_seconds,
    started_at at time zone 'UTC' as started_at,
    finished_at at time zone 'UTC' as ended_at,
    (started_at at time zone 'UTC')::date as started_on
from executions as execution
