-- One row in every table of the pipe service's database, in the order of their foreign keys. The audit log gets its rows from the others.
INSERT INTO users (id, email, name, password_hash)
VALUES ('00000000-0000-0000-0000-000000000001', 'ada@example.org', 'Ada', 'hash-of-a-password');
INSERT INTO organizations (id, name) VALUES ('00000000-0000-0000-0000-000000000002', 'Analysts');
INSERT INTO organization_members (organization_id, user_id, role)
VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'owner');
INSERT INTO pipelines (id, organization_id, name, config, created_by)
VALUES
    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 'nightly', '{}', '00000000-0000-0000-0000-000000000001');
INSERT INTO pipeline_runs (id, pipeline_id, status, started_at, created_by)
VALUES (
    '00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000003', 'queued', '2025-03-01 00:00:00+00',
    '00000000-0000-0000-0000-000000000001'
);
INSERT INTO storage_files (id, organization_id, path, size, created_by)
VALUES (
    '00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000002', 'out/report.csv', 12,
    '00000000-0000-0000-0000-000000000001'
);
INSERT INTO api_keys (id, organization_id, name, key_hash, created_by)
VALUES (
    '00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000002', 'ci', 'hash-of-a-key',
    '00000000-0000-0000-0000-000000000001'
);
