-- One row in every table of a tenant's database of the LLM workflow, in the order of their foreign keys.
INSERT INTO prompts (step, version, content, variables) VALUES ('outline', 1, 'Write an outline about {{topic}}.', '{"topic": "text"}');
INSERT INTO runs (id, status, config, created_at, updated_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'completed', '{"topic": "tea"}', '2025-03-01 00:00:00', '2025-03-01 00:01:00');
INSERT INTO steps (run_id, step, status, llm_model, prompt_version, token_usage, started_at, completed_at)
VALUES (
    '00000000-0000-0000-0000-000000000001', 'outline', 'completed', 'claude-sonnet-4-5', 1, '{"input_tokens": 5, "output_tokens": 7}',
    '2025-03-01 00:00:00', '2025-03-01 00:01:00'
);
INSERT INTO artifacts (run_id, step, file_type, file_path, digest, metadata, created_at, size_bytes)
VALUES (
    '00000000-0000-0000-0000-000000000001', 'outline', 'json',
    'storage/acme/00000000-0000-0000-0000-000000000001/outline/output.json',
    '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', '{"summary": "nothing"}', '2025-03-01 00:01:00', 2
);
INSERT INTO audit_logs (user_id, action, resource_type, resource_id, details, created_at)
VALUES ('ada', 'run.start', 'run', '00000000-0000-0000-0000-000000000001', '{"from": "a browser"}', '2025-03-01 00:00:00');
