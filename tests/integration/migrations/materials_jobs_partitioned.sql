-- One more row for each partitioned table, of a time that whoever adds it says.
INSERT INTO app.job_runs (job_id, run_number, status, created_at)
SELECT job_id, max(run_number) + 1, 'success', %s
FROM app.job_runs GROUP BY job_id;
