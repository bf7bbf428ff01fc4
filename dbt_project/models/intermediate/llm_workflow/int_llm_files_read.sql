-- A file that is read changes what is known of it, though no batch touches its row.
with files as (

    select * from {{ ref('stg_llm_workflow__artifacts') }}

),

read_files as (

    select
        cast({{ json_text('row_key', 'id') }} as integer) as id,
        problem,
        {{ utc('found_at') }} as due_at
    from {{ ref('stg_quality__stored_files') }}
    where system_name = 'llm_workflow' and table_name = 'artifacts'

),

final as (

    select
        files.artifact_id as id,
        files.run_id,
        read_files.problem,
        read_files.due_at
    from files
    inner join read_files on files.artifact_id = read_files.id

)

select * from final
