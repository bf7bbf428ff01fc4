"""Create the tables of users, settings and tags, and store the default settings."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE users (
    user_id BIGSERIAL NOT NULL,
    user_uuid UUID DEFAULT gen_random_uuid() NOT NULL,
    username VARCHAR(255) NOT NULL,
    email VARCHAR(255) NOT NULL,
    full_name VARCHAR(255),
    auth_provider VARCHAR(50) DEFAULT 'local',
    external_id VARCHAR(255),
    is_active BOOLEAN DEFAULT true,
    is_superuser BOOLEAN DEFAULT false,
    last_login_at TIMESTAMP,
    login_count INTEGER DEFAULT 0,
    preferences JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (user_id),
    CONSTRAINT ck_users_auth_provider CHECK (auth_provider IN ('local', 'oauth2', 'ldap', 'saml')),
    UNIQUE (user_uuid),
    UNIQUE (username),
    UNIQUE (email)
);
CREATE INDEX idx_users_active ON users (is_active) WHERE is_active = TRUE;
CREATE INDEX idx_users_provider ON users (auth_provider);
COMMENT ON TABLE users IS 'Users: people and services that use the tracking system.';
COMMENT ON COLUMN users.username IS 'Also the database role of the user, where there is one.';
COMMENT ON COLUMN users.preferences IS 'Preferences of the user, such as those for display and notification.';

CREATE TABLE user_experiments (
    user_experiment_id BIGSERIAL NOT NULL,
    user_id BIGINT NOT NULL,
    experiment_id BIGINT NOT NULL,
    permission_level VARCHAR(50) DEFAULT 'read' NOT NULL,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (user_experiment_id),
    CONSTRAINT ck_user_exp_permission CHECK (permission_level IN ('read', 'write', 'admin', 'owner')),
    CONSTRAINT uq_user_experiment UNIQUE (user_id, experiment_id),
    FOREIGN KEY (user_id) REFERENCES users (user_id) ON DELETE CASCADE,
    FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE INDEX idx_user_exp_user_id ON user_experiments (user_id);
CREATE INDEX idx_user_exp_experiment_id ON user_experiments (experiment_id);
CREATE INDEX idx_user_exp_permission ON user_experiments (permission_level);
COMMENT ON TABLE user_experiments IS 'Rights of users on experiments that were shared with them.';

CREATE TABLE system_config (
    config_id BIGSERIAL NOT NULL,
    config_key VARCHAR(255) NOT NULL,
    config_value TEXT NOT NULL,
    config_type VARCHAR(50) DEFAULT 'string' NOT NULL,
    description TEXT,
    category VARCHAR(100),
    validation_regex TEXT,
    is_secret BOOLEAN DEFAULT false,
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (config_id),
    CONSTRAINT ck_config_type CHECK (config_type IN ('string', 'integer', 'float', 'boolean', 'json')),
    UNIQUE (config_key)
);
CREATE INDEX idx_config_category ON system_config (category);
COMMENT ON TABLE system_config IS 'Settings of the tracking system.';
COMMENT ON COLUMN system_config.is_secret IS 'True: the value is a secret and holds ciphertext, encrypted by the application.';

CREATE TABLE tags (
    tag_id BIGSERIAL NOT NULL,
    tag_name VARCHAR(255) NOT NULL,
    tag_category VARCHAR(100),
    tag_description TEXT,
    usage_count INTEGER DEFAULT 0,
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    updated_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (tag_id),
    UNIQUE (tag_name)
);
CREATE INDEX idx_tags_category ON tags (tag_category);
CREATE INDEX idx_tags_usage ON tags (usage_count DESC);
COMMENT ON TABLE tags IS 'Tags that experiments, runs and models may carry.';

INSERT INTO system_config (config_key, config_value, config_type, category, description) VALUES
    ('max_parallel_runs', '10', 'integer', 'execution', 'Largest number of runs at the same time.'),
    ('default_retention_days', '90', 'integer', 'storage', 'How long data is kept unless said otherwise, in days.'),
    ('enable_mlflow', 'true', 'boolean', 'tracking', 'Whether runs are tracked in MLflow too.'),
    ('enable_wandb', 'false', 'boolean', 'tracking', 'Whether runs are tracked in Weights & Biases too.'),
    ('log_level', 'INFO', 'string', 'logging', 'Least severe level that is logged.');
"""

DOWNGRADE = """
DROP TABLE tags;
DROP TABLE system_config;
DROP TABLE user_experiments;
DROP TABLE users;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
