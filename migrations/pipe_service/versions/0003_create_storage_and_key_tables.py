"""Create the tables of stored files and API keys."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE storage_files (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    organization_id UUID NOT NULL,
    path VARCHAR(500) NOT NULL,
    size BIGINT NOT NULL,
    mime_type VARCHAR(100),
    metadata JSONB,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY (organization_id) REFERENCES organizations (id),
    FOREIGN KEY (created_by) REFERENCES users (id)
);
CREATE INDEX idx_storage_files_org ON storage_files (organization_id);
CREATE INDEX idx_storage_files_path ON storage_files (path);
CREATE INDEX idx_storage_files_created_by ON storage_files (created_by);
COMMENT ON TABLE storage_files IS 'Files that an organization stores.';
COMMENT ON COLUMN storage_files.path IS 'Path of the file within the storage.';
COMMENT ON COLUMN storage_files.size IS 'Size of the file in bytes.';
COMMENT ON COLUMN storage_files.metadata IS 'Free attributes of the file, as JSON.';
COMMENT ON COLUMN storage_files.created_by IS 'User who stored the file.';

CREATE TABLE api_keys (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    organization_id UUID NOT NULL,
    name VARCHAR(100) NOT NULL,
    key_hash VARCHAR(255) NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY (organization_id) REFERENCES organizations (id),
    FOREIGN KEY (created_by) REFERENCES users (id)
);
CREATE INDEX idx_api_keys_org ON api_keys (organization_id);
CREATE INDEX idx_api_keys_created_by ON api_keys (created_by);
COMMENT ON TABLE api_keys IS 'API keys: how programs of an organization sign in.';
COMMENT ON COLUMN api_keys.key_hash IS 'Hash of the key, made by the application; the key itself is stored nowhere.';
COMMENT ON COLUMN api_keys.last_used_at IS 'When the key was last used; null if it never was.';
COMMENT ON COLUMN api_keys.created_by IS 'User who created the key.';
COMMENT ON COLUMN api_keys.expires_at IS 'From when on the key is refused; null if it does not expire.';
"""

DOWNGRADE = """
DROP TABLE api_keys;
DROP TABLE storage_files;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
