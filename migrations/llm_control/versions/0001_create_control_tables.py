"""Create the tables of tenants, providers, models and the defaults of steps."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The message of a violated unique constraint shows the value, so that of the URL is on its hash.
UPGRADE = """
CREATE TABLE tenants (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    database_url TEXT NOT NULL,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_tenants_id CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,37}$')
);
CREATE UNIQUE INDEX uq_tenants_database ON tenants (md5(database_url));
COMMENT ON TABLE tenants IS 'Tenants: customers, each with a database of its own.';
COMMENT ON COLUMN tenants.id IS
    'Short name of the tenant: lower-case letters, digits, _ and -. It is a part of paths, so it never changes.';
COMMENT ON COLUMN tenants.name IS 'Name of the tenant, for people.';
COMMENT ON COLUMN tenants.database_url IS
    'URL of the tenant''s database, with its password: a secret. The platform uses it, and copies it nowhere.';
COMMENT ON COLUMN tenants.created_at IS 'When the tenant was created (UTC).';
COMMENT ON COLUMN tenants.is_active IS 'Whether the tenant is a customer still.';

CREATE TABLE llm_providers (
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    api_base_url TEXT,
    is_active BOOLEAN DEFAULT true NOT NULL,
    PRIMARY KEY (id)
);
COMMENT ON TABLE llm_providers IS 'Providers of language models.';
COMMENT ON COLUMN llm_providers.id IS 'Short name of the provider, such as claude, gemini or openai.';
COMMENT ON COLUMN llm_providers.display_name IS 'Name of the provider, for people.';
COMMENT ON COLUMN llm_providers.api_base_url IS 'URL that calls go to; null for the provider''s own.';
COMMENT ON COLUMN llm_providers.is_active IS 'Whether the provider may be called.';

CREATE TABLE llm_models (
    id SERIAL NOT NULL,
    provider_id TEXT NOT NULL,
    model_name TEXT NOT NULL,
    model_class TEXT NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (provider_id, model_name),
    CONSTRAINT ck_llm_models_model_class CHECK (model_class IN ('pro', 'standard')),
    FOREIGN KEY (provider_id) REFERENCES llm_providers (id)
);
COMMENT ON TABLE llm_models IS 'Language models that steps may call.';
COMMENT ON COLUMN llm_models.id IS 'Key of the model.';
COMMENT ON COLUMN llm_models.provider_id IS 'Provider of the model.';
COMMENT ON COLUMN llm_models.model_name IS 'Name by which the provider knows the model.';
COMMENT ON COLUMN llm_models.model_class IS 'pro or standard.';
COMMENT ON COLUMN llm_models.is_active IS 'Whether the model may be called.';

CREATE TABLE step_llm_defaults (
    step TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    model_class TEXT NOT NULL,
    PRIMARY KEY (step),
    CONSTRAINT ck_step_llm_defaults_model_class CHECK (model_class IN ('pro', 'standard')),
    FOREIGN KEY (provider_id) REFERENCES llm_providers (id)
);
CREATE INDEX idx_step_llm_defaults_provider ON step_llm_defaults (provider_id);
COMMENT ON TABLE step_llm_defaults IS
    'Defaults: which class of models of which provider a step calls, unless a run says otherwise.';
COMMENT ON COLUMN step_llm_defaults.step IS 'Name of the step.';
COMMENT ON COLUMN step_llm_defaults.provider_id IS 'Provider that the step calls.';
COMMENT ON COLUMN step_llm_defaults.model_class IS 'pro or standard.';
"""

DOWNGRADE = """
DROP TABLE step_llm_defaults;
DROP TABLE llm_models;
DROP TABLE llm_providers;
DROP TABLE tenants;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
