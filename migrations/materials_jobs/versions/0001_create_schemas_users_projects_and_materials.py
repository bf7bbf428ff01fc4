"""Create the schemas and the tables of users, projects and materials."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
CREATE SCHEMA app;
CREATE SCHEMA analytics;
CREATE SCHEMA audit;
CREATE SCHEMA archive;
COMMENT ON SCHEMA app IS 'Tables of the application.';
COMMENT ON SCHEMA analytics IS 'Analysis and history; the application needs nothing of it.';
COMMENT ON SCHEMA audit IS 'Who did what.';
COMMENT ON SCHEMA archive IS 'Partitions detached from their tables.';

CREATE TABLE app.users (
    id BIGSERIAL NOT NULL,
    username TEXT NOT NULL,
    email TEXT NOT NULL,
    display_name TEXT,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (username),
    UNIQUE (email)
);
COMMENT ON TABLE app.users IS 'Users: people and services of the materials team.';
COMMENT ON COLUMN app.users.username IS 'Also the database role of the user, where there is one.';
COMMENT ON COLUMN app.users.is_active IS 'False for a user who has left; users who did something are not deleted.';

CREATE TABLE app.projects (
    id BIGSERIAL NOT NULL,
    owner_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    is_public BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (owner_id, name),
    FOREIGN KEY (owner_id) REFERENCES app.users (id) ON DELETE RESTRICT
);
COMMENT ON TABLE app.projects IS 'Projects: groups of jobs that belong to one user.';
COMMENT ON COLUMN app.projects.name IS 'Name of the project, unique among those of its owner.';

CREATE TABLE app.materials (
    id BIGSERIAL NOT NULL,
    external_id TEXT,
    name TEXT,
    composition JSONB,
    properties JSONB,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (external_id)
);
CREATE INDEX materials_properties_idx ON app.materials USING gin (properties);
COMMENT ON TABLE app.materials IS 'Materials with their composition and known properties.';
COMMENT ON COLUMN app.materials.external_id IS 'Identifier of the material in an outside system.';
COMMENT ON COLUMN app.materials.composition IS 'Atoms per formula unit, a JSON object by chemical symbol.';
COMMENT ON COLUMN app.materials.properties IS 'Properties as a JSON object; units stand in the names.';
"""

DOWNGRADE = """
DROP TABLE app.materials;
DROP TABLE app.projects;
DROP TABLE app.users;
DROP SCHEMA archive CASCADE;
DROP SCHEMA audit;
DROP SCHEMA analytics CASCADE;
DROP SCHEMA app;
"""


def upgrade() -> None:
    """Create the schemas, and the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables and the schemas; `analytics` and `archive` with all they hold."""
    op.execute(DOWNGRADE)
