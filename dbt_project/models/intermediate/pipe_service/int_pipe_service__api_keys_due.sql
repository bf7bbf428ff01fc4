-- Time alone makes a key expire, and makes one that is not used unused for long.
with api_keys as (

    select * from {{ ref('stg_pipe_service__api_keys') }}

),

moments as (

    select
        api_key_id,
        {{ utc('expires_at') }} as due_at
    from api_keys
    where expires_at is not null

    union

    select
        api_key_id,
        {{ hours_after(utc('coalesce(last_used_at, created_at)'), 90 * 24) }} as due_at
    from api_keys

),

final as (

    select
        api_key_id as id,
        due_at
    from moments

)

select * from final
