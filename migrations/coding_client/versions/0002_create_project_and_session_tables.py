"""Create the tables of projects, worktrees and sessions; sessions last, because they refer to the others."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE projects (
    id SERIAL NOT NULL,
    project_id VARCHAR(36) NOT NULL,
    name VARCHAR(100) NOT NULL,
    description TEXT,
    project_type VARCHAR(50) DEFAULT 'general',
    repository_url VARCHAR(500),
    local_path VARCHAR(500),
    default_branch VARCHAR(100) DEFAULT 'main',
    tech_stack JSONB DEFAULT '[]',
    build_config JSONB DEFAULT '{}',
    deploy_config JSONB DEFAULT '{}',
    environment_vars JSONB DEFAULT '{}',
    owner_id INTEGER NOT NULL,
    is_public BOOLEAN DEFAULT false,
    collaborators JSONB DEFAULT '[]',
    total_sessions INTEGER DEFAULT 0,
    total_commits INTEGER DEFAULT 0,
    total_worktrees INTEGER DEFAULT 0,
    last_activity TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_project_type CHECK (project_type IN ('web', 'api', 'cli', 'mobile', 'data', 'general')),
    UNIQUE (project_id),
    FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_projects_owner_activity ON projects (owner_id, last_activity DESC);
CREATE INDEX idx_projects_public_activity ON projects (is_public, last_activity DESC) WHERE is_public = TRUE;
CREATE INDEX idx_projects_search ON projects USING gin (to_tsvector('simple', name || ' ' || COALESCE(description, '')));
COMMENT ON TABLE projects IS 'Projects: what is worked on, its repository and its settings.';
COMMENT ON COLUMN projects.project_id IS 'Identifier of the project outside the database (UUID).';
COMMENT ON COLUMN projects.project_type IS 'web, api, cli, mobile, data or general.';
COMMENT ON COLUMN projects.tech_stack IS
    'Languages and products that the project uses, as a JSON list of names, such as python, fastapi, postgresql.';
COMMENT ON COLUMN projects.build_config IS 'How the project is built, as a JSON object.';
COMMENT ON COLUMN projects.deploy_config IS 'How the project is deployed, as a JSON object.';
COMMENT ON COLUMN projects.environment_vars IS 'Environment variables of the project''s sessions, as a JSON object; secrets among them.';
COMMENT ON COLUMN projects.is_public IS 'Whether every user may see the project.';
COMMENT ON COLUMN projects.collaborators IS 'Users with rights on the project, as a JSON list of objects: user_id, role.';
COMMENT ON COLUMN projects.total_sessions IS 'Sessions of the project; kept by trigger.';
COMMENT ON COLUMN projects.total_commits IS 'Commits in the repository, as the application counts them.';
COMMENT ON COLUMN projects.total_worktrees IS 'Worktrees of the project; kept by trigger.';
COMMENT ON COLUMN projects.last_activity IS 'When a session or worktree of the project last changed; kept by trigger.';

CREATE TABLE worktrees (
    id SERIAL NOT NULL,
    worktree_id VARCHAR(36) NOT NULL,
    repository_path VARCHAR(500) NOT NULL,
    worktree_path VARCHAR(500) NOT NULL,
    branch_name VARCHAR(100) NOT NULL,
    commit_hash VARCHAR(40),
    remote_url VARCHAR(500),
    status VARCHAR(20) DEFAULT 'active',
    sync_status VARCHAR(20) DEFAULT 'clean',
    last_sync TIMESTAMPTZ,
    file_count INTEGER DEFAULT 0,
    total_size_bytes BIGINT DEFAULT 0,
    uncommitted_changes BOOLEAN DEFAULT false,
    untracked_files INTEGER DEFAULT 0,
    user_id INTEGER NOT NULL,
    project_id INTEGER,
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    last_accessed TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_worktree_status CHECK (status IN ('active', 'inactive', 'error')),
    CONSTRAINT chk_sync_status CHECK (sync_status IN ('clean', 'dirty', 'conflicted', 'syncing')),
    CONSTRAINT chk_paths_different CHECK (repository_path <> worktree_path),
    UNIQUE (worktree_id),
    CONSTRAINT uk_worktree_path UNIQUE (worktree_path),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE SET NULL
);
CREATE INDEX idx_worktrees_user_id ON worktrees (user_id);
CREATE INDEX idx_worktrees_project_id ON worktrees (project_id);
CREATE INDEX idx_worktrees_user_repository ON worktrees (user_id, repository_path);
CREATE INDEX idx_worktrees_status_accessed ON worktrees (status, last_accessed DESC);
CREATE INDEX idx_worktrees_active ON worktrees (user_id, last_accessed DESC) WHERE status = 'active';
COMMENT ON TABLE worktrees IS 'Working trees of Git repositories.';
COMMENT ON COLUMN worktrees.worktree_id IS 'Identifier of the worktree outside the database (UUID).';
COMMENT ON COLUMN worktrees.repository_path IS 'Where the repository is that the worktree belongs to.';
COMMENT ON COLUMN worktrees.worktree_path IS 'Where the working files are.';
COMMENT ON COLUMN worktrees.commit_hash IS 'SHA-1 of the commit that is checked out.';
COMMENT ON COLUMN worktrees.status IS 'active, inactive or error.';
COMMENT ON COLUMN worktrees.sync_status IS 'clean, dirty, conflicted or syncing.';
COMMENT ON COLUMN worktrees.uncommitted_changes IS 'Whether tracked files differ from the commit.';
COMMENT ON COLUMN worktrees.untracked_files IS 'Number of files that Git does not track.';

CREATE TABLE worktree_sync_history (
    id SERIAL NOT NULL,
    source_worktree_id VARCHAR(36) NOT NULL,
    target_worktree_id VARCHAR(36),
    sync_type VARCHAR(20) NOT NULL,
    sync_direction VARCHAR(10) DEFAULT 'push',
    status VARCHAR(20) NOT NULL,
    files_changed INTEGER DEFAULT 0,
    lines_added INTEGER DEFAULT 0,
    lines_deleted INTEGER DEFAULT 0,
    conflicts_count INTEGER DEFAULT 0,
    commit_hash VARCHAR(40),
    error_message TEXT,
    error_code VARCHAR(20),
    executed_by INTEGER,
    execution_time_ms INTEGER,
    created_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_sync_direction CHECK (sync_direction IN ('push', 'pull', 'bidirectional')),
    CONSTRAINT chk_sync_status CHECK (status IN ('success', 'failed', 'partial', 'cancelled')),
    CONSTRAINT chk_sync_type CHECK (sync_type IN ('merge', 'cherry-pick', 'rebase', 'pull', 'push')),
    FOREIGN KEY (source_worktree_id) REFERENCES worktrees (worktree_id) ON DELETE CASCADE,
    FOREIGN KEY (target_worktree_id) REFERENCES worktrees (worktree_id) ON DELETE SET NULL,
    FOREIGN KEY (executed_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX idx_worktree_sync_source_created ON worktree_sync_history (source_worktree_id, created_at DESC);
CREATE INDEX idx_worktree_sync_target ON worktree_sync_history (target_worktree_id);
CREATE INDEX idx_worktree_sync_executed_by ON worktree_sync_history (executed_by);
COMMENT ON TABLE worktree_sync_history IS 'Synchronisations of worktrees, with their outcome.';
COMMENT ON COLUMN worktree_sync_history.sync_type IS 'merge, cherry-pick, rebase, pull or push.';
COMMENT ON COLUMN worktree_sync_history.sync_direction IS 'push, pull or bidirectional.';
COMMENT ON COLUMN worktree_sync_history.status IS 'success, failed, partial or cancelled.';
COMMENT ON COLUMN worktree_sync_history.commit_hash IS 'SHA-1 of the commit that the synchronisation ended with.';

CREATE TABLE sessions (
    id SERIAL NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    name VARCHAR(100) NOT NULL,
    description TEXT,
    status VARCHAR(20) DEFAULT 'stopped',
    working_directory VARCHAR(500),
    container_id VARCHAR(64),
    port_mapping JSONB DEFAULT '{}',
    context_data JSONB,
    claude_session_id VARCHAR(64),
    total_tokens_used INTEGER DEFAULT 0,
    resource_limits JSONB DEFAULT '{"cpu_limit": 1.0, "memory_limit_mb": 512, "storage_limit_mb": 1024, "process_limit": 50}',
    user_id INTEGER NOT NULL,
    project_id INTEGER,
    worktree_id VARCHAR(36),
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    last_accessed TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_session_status CHECK (status IN ('running', 'stopped', 'error', 'starting', 'stopping')),
    CONSTRAINT chk_resource_limits_valid CHECK (jsonb_typeof(resource_limits) = 'object'),
    UNIQUE (session_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE SET NULL,
    FOREIGN KEY (worktree_id) REFERENCES worktrees (worktree_id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX uk_sessions_container ON sessions (container_id) WHERE container_id IS NOT NULL;
CREATE INDEX idx_sessions_user_id ON sessions (user_id);
CREATE INDEX idx_sessions_project_id ON sessions (project_id);
CREATE INDEX idx_sessions_worktree_id ON sessions (worktree_id);
CREATE INDEX idx_sessions_user_status ON sessions (user_id, status);
CREATE INDEX idx_sessions_status_updated ON sessions (status, updated_at);
CREATE INDEX idx_sessions_user_last_accessed ON sessions (user_id, last_accessed DESC);
CREATE INDEX idx_sessions_active ON sessions (user_id, last_accessed DESC) WHERE status IN ('running', 'starting');
CREATE INDEX idx_sessions_error ON sessions (user_id, updated_at DESC) WHERE status = 'error';
COMMENT ON TABLE sessions IS 'Sessions of the coding client.';
COMMENT ON COLUMN sessions.session_id IS 'Identifier of the session outside the database (UUID).';
COMMENT ON COLUMN sessions.status IS 'starting, running, stopping, stopped or error; a stopped session may be started again.';
COMMENT ON COLUMN sessions.container_id IS 'Container that the session runs in.';
COMMENT ON COLUMN sessions.port_mapping IS 'Ports of the container by port of the host, as a JSON object.';
COMMENT ON COLUMN sessions.context_data IS 'Saved state of the conversation, as JSON.';
COMMENT ON COLUMN sessions.claude_session_id IS 'Identifier of the session with the model''s provider.';
COMMENT ON COLUMN sessions.resource_limits IS
    'Limits of the container, as a JSON object: cpu_limit, memory_limit_mb, storage_limit_mb, process_limit.';
COMMENT ON COLUMN sessions.last_accessed IS 'When the session was last used.';

CREATE TABLE collaboration_sessions (
    id SERIAL NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    host_user_id INTEGER NOT NULL,
    share_mode VARCHAR(20) DEFAULT 'read_only',
    max_participants INTEGER DEFAULT 5,
    requires_approval BOOLEAN DEFAULT true,
    is_public BOOLEAN DEFAULT false,
    access_token VARCHAR(64),
    expires_at TIMESTAMPTZ,
    allowed_users JSONB DEFAULT '[]',
    current_participants INTEGER DEFAULT 0,
    total_joins INTEGER DEFAULT 0,
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_share_mode CHECK (share_mode IN ('read_only', 'edit', 'full_control')),
    CONSTRAINT chk_max_participants CHECK (max_participants > 0 AND max_participants <= 20),
    UNIQUE (access_token),
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE,
    FOREIGN KEY (host_user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_collaboration_sessions_session_id ON collaboration_sessions (session_id);
CREATE INDEX idx_collaboration_sessions_host_user_id ON collaboration_sessions (host_user_id);
COMMENT ON TABLE collaboration_sessions IS 'Sessions that their users share with others.';
COMMENT ON COLUMN collaboration_sessions.host_user_id IS 'User who shares the session.';
COMMENT ON COLUMN collaboration_sessions.share_mode IS 'read_only, edit or full_control.';
COMMENT ON COLUMN collaboration_sessions.requires_approval IS 'Whether the host lets each participant in.';
COMMENT ON COLUMN collaboration_sessions.is_public IS 'Whether every user may join.';
COMMENT ON COLUMN collaboration_sessions.access_token IS 'Secret that lets its bearer join.';
COMMENT ON COLUMN collaboration_sessions.allowed_users IS 'Users who may join, as a JSON list of their keys.';
"""

DOWNGRADE = """
DROP TABLE collaboration_sessions;
DROP TABLE sessions;
DROP TABLE worktree_sync_history;
DROP TABLE worktrees;
DROP TABLE projects;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
