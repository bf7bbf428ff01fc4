-- One row in every table of what tenants of the LLM workflow have handed over, in the order of their foreign keys.
INSERT INTO runs (tenant_id, run_id, status, source_status, started_at, ended_at, wall_seconds, steps_total, steps_done, retries)
VALUES ('acme', '00000000-0000-0000-0000-000000000001', 'succeeded', 'completed', '2025-03-01', '2025-03-01 00:01:00', 60, 1, 1, 0);
INSERT INTO steps (
    tenant_id, step_id, run_id, step, status, source_status, provider, llm_model, retry_count, started_at, completed_at, latency_seconds,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, price_version, cost_usd, wasted_cost_usd
)
VALUES (
    'acme', 1, '00000000-0000-0000-0000-000000000001', 'outline', 'succeeded', 'completed', 'claude', 'claude-sonnet-4-5', 0,
    '2025-03-01', '2025-03-01 00:01:00', 60, 100, 20, 10, 50, 5, '2025-01-01', 0.0125, 0
);
INSERT INTO handed_over (tenant_id, refresh_id, handed_over_at) VALUES ('acme', 1, '2025-03-01 00:02:00+00');
