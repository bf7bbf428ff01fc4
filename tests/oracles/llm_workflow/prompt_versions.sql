select
    prompt.id as prompt_id,
    prompt.step,
    prompt.version as prompt_version,
    prompt.is_active,
    used.steps as steps_used,
    used.runs as runs_used,
    used.first_at as first_used_at,
    used.last_at as last_used_at,
    case when used.decided > 0 then used.completed::double precision / used.decided end as success_rate
from prompts as prompt
cross join lateral (
    select
        count(*) as steps,
        count(distinct s.run_id) as runs,
        min(s.started_at) as first_at,
        max(s.started_at) as last_at,
        count(*) filter (where s.status in ('completed', 'failed')) as decided,
        count(*) filter (where s.status = 'completed') as completed
    from steps as s
    where s.step = prompt.step and s.prompt_version = prompt.version
) as used
