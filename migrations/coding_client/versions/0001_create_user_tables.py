"""Create the schema of archived partitions and the tables of users and their tokens."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = r"""
CREATE SCHEMA archive;
COMMENT ON SCHEMA archive IS 'Partitions detached from their tables.';

CREATE TABLE users (
    id SERIAL NOT NULL,
    username VARCHAR(50) NOT NULL,
    email VARCHAR(100),
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN DEFAULT true,
    is_admin BOOLEAN DEFAULT false,
    preferences JSONB DEFAULT '{}',
    resource_quota JSONB DEFAULT '{"max_sessions": 5, "max_worktrees": 10, "storage_limit_gb": 5, "api_calls_per_hour": 1000}',
    last_login TIMESTAMPTZ,
    login_count INTEGER DEFAULT 0,
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_username_length CHECK (length(username) >= 3),
    CONSTRAINT chk_username_alphanumeric CHECK (username ~* '^[a-zA-Z0-9_-]+$'),
    CONSTRAINT chk_email_format CHECK (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'),
    UNIQUE (username)
);
CREATE UNIQUE INDEX uk_users_email ON users (email) WHERE email IS NOT NULL;
COMMENT ON TABLE users IS 'Users with their credentials and limits.';
COMMENT ON COLUMN users.username IS 'Name that the user logs in with: letters, digits, _ and -.';
COMMENT ON COLUMN users.hashed_password IS 'Hash of the password with its salt and parameters, as the application writes it.';
COMMENT ON COLUMN users.is_active IS 'Whether the user may log in.';
COMMENT ON COLUMN users.is_admin IS 'Whether the user administers the client.';
COMMENT ON COLUMN users.preferences IS 'Settings of the user interface, such as the language, as a JSON object.';
COMMENT ON COLUMN users.resource_quota IS
    'Limits of the user, as a JSON object: max_sessions, max_worktrees, storage_limit_gb, api_calls_per_hour.';

CREATE TABLE auth_tokens (
    id SERIAL NOT NULL,
    token_id VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    token_type VARCHAR(20) DEFAULT 'access',
    expires_at TIMESTAMPTZ NOT NULL,
    is_active BOOLEAN DEFAULT true,
    ip_address INET,
    user_agent TEXT,
    last_used TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_token_type CHECK (token_type IN ('access', 'refresh')),
    UNIQUE (token_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_auth_tokens_user_id ON auth_tokens (user_id);
CREATE INDEX idx_auth_tokens_user_active ON auth_tokens (user_id, is_active) WHERE is_active = TRUE;
CREATE INDEX idx_auth_tokens_expires ON auth_tokens (expires_at) WHERE is_active = TRUE;
CREATE INDEX idx_auth_tokens_valid ON auth_tokens (user_id, expires_at) WHERE is_active = TRUE;
COMMENT ON TABLE auth_tokens IS 'Tokens that users have logged in with.';
COMMENT ON COLUMN auth_tokens.token_id IS 'Identifier that the token carries (UUID).';
COMMENT ON COLUMN auth_tokens.token_type IS 'access or refresh.';
COMMENT ON COLUMN auth_tokens.is_active IS 'False once the token is revoked.';
COMMENT ON COLUMN auth_tokens.ip_address IS 'Address that the token was issued to.';
"""

DOWNGRADE = """
DROP TABLE auth_tokens;
DROP TABLE users;
DROP SCHEMA archive CASCADE;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
