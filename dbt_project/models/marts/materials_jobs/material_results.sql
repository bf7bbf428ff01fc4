with results as (

    select * from {{ ref('stg_materials_jobs__vasp_results') }}

),

job_runs as (

    select * from {{ ref('int_job_runs_described') }}
    where has_project

),

materials as (

    select * from {{ ref('stg_materials_jobs__materials') }}

),

final as (

    select
        results.id as result_id,
        job_runs.job_run_id,
        job_runs.job_id,
        job_runs.job_name,
        job_runs.task_name,
        job_runs.project_id,
        job_runs.project_name,
        job_runs.run_number,
        job_runs.material_external_id,
        materials.id as material_id,
        materials.name as material_name,
        materials.composition,
        {{ json_text('results.summary', 'calculator') }} as calculator_name,
        {{ json_number('results.summary', 'atoms') }} as atom_count,
        {{ json_number('results.summary', 'energy_ev') }} as energy_ev,
        {{ json_number('results.summary', 'volume_angstrom3') }} as volume_angstrom3,
        {{ json_number('results.summary', 'bulk_modulus_gpa') }} as bulk_modulus_gpa,
        {{ json_number('results.summary', 'lattice_constant_angstrom') }} as lattice_constant_angstrom,
        {{ json_number('results.summary', 'adsorption_energy_ev') }} as adsorption_energy_ev,
        {{ json_number('results.summary', 'max_force_ev_per_angstrom') }} as max_force_ev_per_angstrom,
        results.result_path,
        job_runs.ended_at as computed_at,
        {{ refresh_columns() }}
    from results
    inner join job_runs
        on
            results.job_run_id = job_runs.job_run_id
            and results.job_run_created_at = job_runs.job_run_created_at
    left join materials on job_runs.material_external_id = materials.external_id

)

select * from final
