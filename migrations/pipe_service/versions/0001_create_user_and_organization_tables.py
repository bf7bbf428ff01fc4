"""Create the tables of users, organizations and their members."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE users (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email VARCHAR(255) NOT NULL,
    name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    status VARCHAR(20) DEFAULT 'active' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (email),
    CONSTRAINT ck_users_status CHECK (status IN ('active', 'inactive', 'suspended', 'deleted'))
);
COMMENT ON TABLE users IS 'Users: people and services that sign in.';
COMMENT ON COLUMN users.email IS 'Address that the user signs in with.';
COMMENT ON COLUMN users.password_hash IS 'bcrypt hash of the password, made by the application.';
COMMENT ON COLUMN users.status IS 'active, inactive, suspended or deleted; a deleted user keeps the row.';

CREATE TABLE organizations (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    name VARCHAR(100) NOT NULL,
    plan_type VARCHAR(50) DEFAULT 'free',
    status VARCHAR(20) DEFAULT 'active' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT ck_organizations_status CHECK (status IN ('active', 'inactive', 'suspended', 'deleted'))
);
COMMENT ON TABLE organizations IS 'Organizations: the owners of pipelines, files and API keys.';
COMMENT ON COLUMN organizations.plan_type IS 'Plan that the organization pays for, such as free.';
COMMENT ON COLUMN organizations.status IS 'active, inactive, suspended or deleted; a deleted organization keeps the row.';

CREATE TABLE organization_members (
    organization_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role VARCHAR(20) NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    PRIMARY KEY (organization_id, user_id),
    CONSTRAINT ck_organization_members_role CHECK (role IN ('owner', 'admin', 'member', 'readonly')),
    FOREIGN KEY (organization_id) REFERENCES organizations (id),
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX idx_organization_members_user ON organization_members (user_id);
COMMENT ON TABLE organization_members IS 'Members: which user belongs to which organization, in which role.';
COMMENT ON COLUMN organization_members.role IS 'owner, admin, member or readonly.';
"""

DOWNGRADE = """
DROP TABLE organization_members;
DROP TABLE organizations;
DROP TABLE users;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
