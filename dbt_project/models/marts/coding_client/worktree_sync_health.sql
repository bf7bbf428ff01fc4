with worktrees as (

    select * from {{ ref('stg_coding_client__worktrees') }}

),

synchronisations as (

    select * from {{ ref('stg_coding_client__worktree_sync_history') }}

),

final as (

    select
        worktrees.id as source_number,
        synchronisations.source_worktree_id,
        synchronisations.target_worktree_id,
        count(*) as sync_count,
        sum(case when synchronisations.status = 'success' then 1 else 0 end) as success_count,
        sum(case when synchronisations.status = 'failed' then 1 else 0 end) as failure_count,
        sum(case when synchronisations.status = 'partial' then 1 else 0 end) as partial_count,
        sum(case when synchronisations.status = 'cancelled' then 1 else 0 end) as cancellation_count,
        sum(synchronisations.conflicts_count) as conflict_count,
        max({{ utc('synchronisations.executed_at') }}) as last_sync_at,
        {{ last_in_order(
            'synchronisations.status', 'synchronisations.executed_at nulls first, synchronisations.id nulls first', 'true'
        ) }} as last_status,
        {{ refresh_columns() }}
    from synchronisations
    inner join worktrees on synchronisations.source_worktree_id = worktrees.worktree_id
    group by worktrees.id, synchronisations.source_worktree_id, synchronisations.target_worktree_id

)

select * from final
