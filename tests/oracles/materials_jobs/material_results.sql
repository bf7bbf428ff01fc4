select
    result.id as result_id,
    run.id as job_run_id,
    job.id as job_id,
    job.name as job_name,
    job.parameters ->> 'task' as task_name,
    job.project_id,
    (select p.name from app.projects as p where p.id = job.project_id) as project_name,
    run.run_number,
    job.parameters ->> 'material' as material_external_id,
    material.id as material_id,
    material.name as material_name,
    material.composition,
    result.summary ->> 'calculator' as calculator_name,
    numbers.*,
    result.result_path,
    run.finished_at at time zone 'UTC' as computed_at
from app.vasp_results as result
inner join app.job_runs as run on (run.id, run.created_at) = (result.job_run_id, result.job_run_created_at)
inner join app.jobs as job on job.id = run.job_id
left join app.materials as material on material.external_id = job.parameters ->> 'material'
cross join lateral (
    select
        max(value::double precision) filter (where key = 'atoms') as atom_count,
        max(value::double precision) filter (where key = 'energy_ev') as energy_ev,
        max(value::double precision) filter (where key = 'volume_angstrom3') as volume_angstrom3,
        max(value::double precision) filter (where key = 'bulk_modulus_gpa') as bulk_modulus_gpa,
        max(value::double precision) filter (where key = 'lattice_constant_angstrom') as lattice_constant_angstrom,
        max(value::double precision) filter (where key = 'adsorption_energy_ev') as adsorption_energy_ev,
        max(value::double precision) filter (where key = 'max_force_ev_per_angstrom') as max_force_ev_per_angstrom
    from jsonb_each(case when jsonb_typeof(result.summary) = 'object' then result.summary end)
    where jsonb_typeof(value) = 'number'
) as numbers
