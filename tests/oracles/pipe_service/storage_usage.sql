with

files as (
    select
        organization_id,
        coalesce(mime_type, 'unknown') as mime_type,
        size,
        (created_at at time zone 'UTC')::date as stored_on
    from storage_files
),

days as (
    select distinct organization_id, mime_type, stored_on from files
)

select
    days.organization_id,
    (select name from organizations where id = days.organization_id) as organization_name,
    days.mime_type,
    days.stored_on,
    usage.files_added,
    usage.bytes_added,
    usage.total_files,
    usage.total_bytes,
    usage.bytes_added::double precision / nullif(usage.total_bytes - usage.bytes_added, 0)::double precision as growth_rate
from days
cross join lateral (
    select
        count(*) filter (where files.stored_on = days.stored_on) as files_added,
        sum(files.size) filter (where files.stored_on = days.stored_on) as bytes_added,
        count(*) as total_files,
        sum(files.size) as total_bytes
    from files
    where files.organization_id = days.organization_id and files.mime_type = days.mime_type and files.stored_on <= days.stored_on
) as usage
