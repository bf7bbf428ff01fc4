-- One row in every table of the LLM workflow's control database, in the order of their foreign keys.
INSERT INTO tenants (id, name, database_url) VALUES ('acme', 'Acme', 'postgresql://user:secret-of-acme@db.example.org/acme');
INSERT INTO llm_providers (id, display_name, api_base_url) VALUES ('claude', 'Claude', 'https://api.example.org');
INSERT INTO llm_models (provider_id, model_name, model_class) VALUES ('claude', 'claude-sonnet-4-5', 'standard');
INSERT INTO step_llm_defaults (step, provider_id, model_class) VALUES ('outline', 'claude', 'standard');
