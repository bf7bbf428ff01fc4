with files as (

    select
        organization_id,
        coalesce(cast(mime_type as {{ type_text() }}), 'unknown') as mime_type,
        {{ utc_date(utc('created_at')) }} as stored_on,
        size_bytes
    from {{ ref('stg_pipe_service__storage_files') }}

),

organizations as (

    select * from {{ ref('stg_pipe_service__organizations') }}

),

daily as (

    select
        organization_id,
        mime_type,
        stored_on,
        count(*) as files_added,
        cast(sum(size_bytes) as numeric(38, 0)) as bytes_added
    from files
    group by organization_id, mime_type, stored_on

),

totals as (

    select
        *,
        cast(
            sum(files_added) over (
                partition by organization_id, mime_type order by stored_on nulls last rows between unbounded preceding and current row
            ) as bigint
        ) as total_files,
        cast(
            sum(bytes_added) over (
                partition by organization_id, mime_type order by stored_on nulls last rows between unbounded preceding and current row
            ) as numeric(38, 0)
        ) as total_bytes
    from daily

),

final as (

    select
        totals.organization_id,
        organizations.organization_name,
        totals.mime_type,
        totals.stored_on,
        totals.files_added,
        totals.bytes_added,
        totals.total_files,
        totals.total_bytes,
        cast(totals.bytes_added as {{ type_double() }})
        / nullif(cast(totals.total_bytes - totals.bytes_added as {{ type_double() }}), 0) as growth_rate,
        {{ refresh_columns() }}
    from totals
    inner join organizations on totals.organization_id = organizations.organization_id

)

select * from final
