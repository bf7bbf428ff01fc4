-- One row in every table of the materials job database, in the order of their foreign keys; the triggers write the audit log.
INSERT INTO app.users (username, email, display_name) VALUES ('ada', 'ada@example.org', 'Ada');
INSERT INTO app.projects (owner_id, name) VALUES (1, 'noble metals');
INSERT INTO app.materials (external_id, name, composition, properties)
VALUES ('mp-30', 'Cu', '{"Cu": 1}', '{"lattice_constant_angstrom": 3.59}');
INSERT INTO app.jobs (project_id, created_by, name, type, parameters) VALUES (1, 1, 'equation of state', 'emt', '{"element": "Cu"}');
INSERT INTO app.job_runs (job_id, status, created_at, started_at) VALUES (1, 'running', '2025-03-31 23:59:59+00', '2025-04-01 00:00:01+00');
INSERT INTO app.files (project_id, job_run_id, job_run_created_at, name, storage_path, size_bytes, created_by)
SELECT 1, id, created_at, 'energies', 'energies.parquet', 1024, 1 FROM app.job_runs;
INSERT INTO app.vasp_results (job_run_id, job_run_created_at, result_path, summary)
SELECT id, created_at, 'energies.parquet', '{"energy_ev": -0.006}' FROM app.job_runs;
