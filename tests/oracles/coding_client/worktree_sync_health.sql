with pairs as (
    select distinct source_worktree_id, target_worktree_id
    from worktree_sync_history
)

select
    source.id as source_number,
    pairs.source_worktree_id,
    pairs.target_worktree_id,
    syncs.*,
    last_one.*
from pairs
inner join worktrees as source on pairs.source_worktree_id = source.worktree_id
cross join lateral (
    select
        count(*) as sync_count,
        count(*) filter (where h.status = 'success') as success_count,
        count(*) filter (where h.status = 'failed') as failure_count,
        count(*) filter (where h.status = 'partial') as partial_count,
        count(*) filter (where h.status = 'cancelled') as cancellation_count,
        sum(h.conflicts_count) as conflict_count
    from worktree_sync_history as h
    where h.source_worktree_id = pairs.source_worktree_id and h.target_worktree_id is not distinct from pairs.target_worktree_id
) as syncs
cross join lateral (
    select h.created_at at time zone 'UTC' as last_sync_at, h.status as last_status
    from worktree_sync_history as h
    where h.source_worktree_id = pairs.source_worktree_id and h.target_worktree_id is not distinct from pairs.target_worktree_id
    order by h.created_at desc nulls last, h.id desc
    limit 1
) as last_one
