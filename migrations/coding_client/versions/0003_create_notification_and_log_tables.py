"""Create the tables of notifications, file operations, log lines and settings, and the partitions of 2025 and 2026."""

from collections.abc import Iterator
from itertools import pairwise

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Rows that an automatic vacuum waits for, and an automatic analyze. A partitioned table cannot keep such numbers, its partitions can.
AUTOVACUUM_THRESHOLDS = {"notification_history": (500, 250), "file_operations": (500, 250), "system_logs": (1000, 500)}

UPGRADE = """
CREATE TABLE notification_settings (
    id SERIAL NOT NULL,
    user_id INTEGER NOT NULL,
    notification_type VARCHAR(50) NOT NULL,
    service_type VARCHAR(20) NOT NULL,
    is_enabled BOOLEAN DEFAULT true,
    push_subscription JSONB,
    push_endpoint VARCHAR(500),
    webhook_url VARCHAR(500),
    webhook_secret VARCHAR(100),
    webhook_headers JSONB DEFAULT '{}',
    service_config JSONB DEFAULT '{}',
    filter_rules JSONB DEFAULT '{}',
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_notification_type CHECK (
        notification_type IN ('claude_request', 'task_completed', 'error_occurred', 'collaboration_invite')
    ),
    CONSTRAINT chk_service_type CHECK (service_type IN ('web_push', 'webhook', 'line', 'slack', 'discord')),
    CONSTRAINT uk_user_notification_service UNIQUE (user_id, notification_type, service_type),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_notification_settings_user_id ON notification_settings (user_id);
CREATE INDEX idx_notification_settings_user_enabled ON notification_settings (user_id, is_enabled);
COMMENT ON TABLE notification_settings IS 'What users want to be told of, and by which service.';
COMMENT ON COLUMN notification_settings.notification_type IS 'claude_request, task_completed, error_occurred or collaboration_invite.';
COMMENT ON COLUMN notification_settings.service_type IS 'web_push, webhook, line, slack or discord.';
COMMENT ON COLUMN notification_settings.push_subscription IS 'PushSubscription of the Web Push API, with its keys.';
COMMENT ON COLUMN notification_settings.webhook_secret IS 'Secret that messages to the webhook are signed with.';
COMMENT ON COLUMN notification_settings.webhook_headers IS 'Headers of the webhook''s requests, as a JSON object; may hold secrets.';
COMMENT ON COLUMN notification_settings.service_config IS
    'Settings of the service, such as LINE, Slack or Discord, as a JSON object; may hold secrets.';
COMMENT ON COLUMN notification_settings.filter_rules IS 'Which notifications are wanted, as a JSON object.';

CREATE TABLE notification_history (
    id SERIAL NOT NULL,
    user_id INTEGER NOT NULL,
    session_id VARCHAR(36),
    notification_type VARCHAR(50) NOT NULL,
    service_type VARCHAR(20) NOT NULL,
    title VARCHAR(200) NOT NULL,
    message TEXT NOT NULL,
    payload JSONB,
    priority VARCHAR(10) DEFAULT 'normal',
    status VARCHAR(20) DEFAULT 'pending',
    retry_count INTEGER DEFAULT 0,
    max_retries INTEGER DEFAULT 3,
    response_code INTEGER,
    response_body TEXT,
    error_message TEXT,
    scheduled_at TIMESTAMPTZ DEFAULT now(),
    sent_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id, created_at),
    CONSTRAINT chk_notification_history_type CHECK (
        notification_type IN ('claude_request', 'task_completed', 'error_occurred', 'collaboration_invite')
    ),
    CONSTRAINT chk_notification_history_service CHECK (service_type IN ('web_push', 'webhook', 'line', 'slack', 'discord')),
    CONSTRAINT chk_notification_status CHECK (status IN ('pending', 'sent', 'failed', 'cancelled')),
    CONSTRAINT chk_priority CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    CONSTRAINT chk_retry_count_limit CHECK (retry_count <= max_retries),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE SET NULL
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_notification_history_user_id ON notification_history (user_id);
CREATE INDEX idx_notification_history_session_id ON notification_history (session_id);
CREATE INDEX idx_notification_history_user_status ON notification_history (user_id, status);
CREATE INDEX idx_notification_history_status_scheduled ON notification_history (status, scheduled_at);
CREATE INDEX idx_notification_failed ON notification_history (user_id, created_at DESC) WHERE status = 'failed';
COMMENT ON TABLE notification_history IS 'Notifications and how their delivery went; partitioned by calendar month.';
COMMENT ON COLUMN notification_history.notification_type IS 'What is told, in the words of notification_settings.';
COMMENT ON COLUMN notification_history.service_type IS 'By which service, in the words of notification_settings.';
COMMENT ON COLUMN notification_history.payload IS 'What was sent beside the message, as JSON.';
COMMENT ON COLUMN notification_history.priority IS 'low, normal, high or urgent.';
COMMENT ON COLUMN notification_history.status IS 'pending, sent, failed or cancelled.';
COMMENT ON COLUMN notification_history.retry_count IS 'Attempts after the first one.';
COMMENT ON COLUMN notification_history.response_code IS 'HTTP status of the last attempt.';
COMMENT ON COLUMN notification_history.scheduled_at IS 'When the notification was due.';
COMMENT ON COLUMN notification_history.sent_at IS 'When the service accepted it.';

CREATE TABLE file_operations (
    id SERIAL NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    user_id INTEGER NOT NULL,
    operation_type VARCHAR(20) NOT NULL,
    file_path VARCHAR(1000) NOT NULL,
    old_file_path VARCHAR(1000),
    content_hash VARCHAR(64),
    file_size_bytes BIGINT DEFAULT 0,
    mime_type VARCHAR(100),
    encoding VARCHAR(20) DEFAULT 'utf-8',
    is_binary BOOLEAN DEFAULT false,
    language VARCHAR(50),
    line_count INTEGER,
    execution_time_ms INTEGER,
    success BOOLEAN DEFAULT true,
    error_message TEXT,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id, created_at),
    CONSTRAINT chk_operation_type CHECK (operation_type IN ('create', 'read', 'update', 'delete', 'rename', 'move', 'copy')),
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_file_operations_session_id ON file_operations (session_id);
CREATE INDEX idx_file_operations_user_id ON file_operations (user_id);
CREATE INDEX idx_file_operations_user_created ON file_operations (user_id, created_at DESC);
CREATE INDEX idx_file_operations_session_type ON file_operations (session_id, operation_type);
CREATE INDEX idx_file_operations_path_search ON file_operations USING gin (to_tsvector('simple', file_path));
COMMENT ON TABLE file_operations IS 'What sessions did to files; partitioned by calendar month.';
COMMENT ON COLUMN file_operations.operation_type IS 'create, read, update, delete, rename, move or copy.';
COMMENT ON COLUMN file_operations.old_file_path IS 'Where the file was before it was renamed, moved or copied.';
COMMENT ON COLUMN file_operations.content_hash IS 'Hash of the content after the operation, hexadecimal.';
COMMENT ON COLUMN file_operations.file_size_bytes IS 'Size after the operation.';
COMMENT ON COLUMN file_operations.language IS 'Programming language of the file.';
COMMENT ON COLUMN file_operations.line_count IS 'Lines after the operation.';

CREATE TABLE system_logs (
    id SERIAL NOT NULL,
    level VARCHAR(10) NOT NULL,
    category VARCHAR(50) NOT NULL,
    module VARCHAR(50) NOT NULL,
    user_id INTEGER,
    session_id VARCHAR(36),
    message TEXT NOT NULL,
    details JSONB,
    request_id VARCHAR(36),
    ip_address INET,
    user_agent TEXT,
    created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (id, created_at),
    CONSTRAINT chk_log_level CHECK (level IN ('DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL')),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE SET NULL
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_system_logs_user_id ON system_logs (user_id);
CREATE INDEX idx_system_logs_session_id ON system_logs (session_id);
CREATE INDEX idx_system_logs_level_created ON system_logs (level, created_at DESC);
CREATE INDEX idx_system_logs_module_created ON system_logs (module, created_at DESC);
CREATE INDEX idx_system_logs_message_search ON system_logs USING gin (to_tsvector('simple', message));
COMMENT ON TABLE system_logs IS 'Log lines of the client''s own work; partitioned by calendar month.';
COMMENT ON COLUMN system_logs.level IS 'DEBUG, INFO, WARN, ERROR or CRITICAL.';
COMMENT ON COLUMN system_logs.category IS 'What kind of event it was.';
COMMENT ON COLUMN system_logs.module IS 'Part of the client that wrote the line.';
COMMENT ON COLUMN system_logs.details IS 'Further facts, as JSON.';
COMMENT ON COLUMN system_logs.request_id IS 'Request that the line was written for (UUID).';

CREATE TABLE system_settings (
    id SERIAL NOT NULL,
    setting_key VARCHAR(100) NOT NULL,
    setting_value JSONB NOT NULL,
    data_type VARCHAR(20) DEFAULT 'json',
    category VARCHAR(50) DEFAULT 'general',
    description TEXT,
    is_public BOOLEAN DEFAULT false,
    is_readonly BOOLEAN DEFAULT false,
    version INTEGER DEFAULT 1,
    previous_value JSONB,
    updated_by INTEGER,
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    PRIMARY KEY (id),
    CONSTRAINT chk_data_type CHECK (data_type IN ('string', 'number', 'boolean', 'json', 'array')),
    UNIQUE (setting_key),
    FOREIGN KEY (updated_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX idx_system_settings_updated_by ON system_settings (updated_by);
COMMENT ON TABLE system_settings IS 'Settings of the client, with the value before the last change.';
COMMENT ON COLUMN system_settings.setting_value IS 'The value, as JSON; may be a secret.';
COMMENT ON COLUMN system_settings.data_type IS 'string, number, boolean, json or array.';
COMMENT ON COLUMN system_settings.is_public IS 'Whether every user may see the setting.';
COMMENT ON COLUMN system_settings.is_readonly IS 'Whether the client refuses to change the setting.';
COMMENT ON COLUMN system_settings.version IS 'Counts the changes of the setting.';
COMMENT ON COLUMN system_settings.previous_value IS 'Value before the last change; may be a secret.';
"""

DOWNGRADE = """
DROP TABLE system_settings;
DROP TABLE system_logs;
DROP TABLE file_operations;
DROP TABLE notification_history;
DROP TABLE notification_settings;
"""


def partitions() -> Iterator[str]:
    """Statements that create the partitions of every partitioned table: one per month, as UTC counts them, and one for the rest."""
    firsts = [f"{year}-{month:02}-01" for year in (2025, 2026) for month in range(1, 13)] + ["2027-01-01"]
    ranges = {
        first[:7].replace("-", "_"): f"FOR VALUES FROM ('{first} 00:00:00+00') TO ('{following} 00:00:00+00')"
        for first, following in pairwise(firsts)
    }
    for table, (vacuum, analyze) in AUTOVACUUM_THRESHOLDS.items():
        options = f"autovacuum_vacuum_threshold = {vacuum}, autovacuum_analyze_threshold = {analyze}"
        for suffix, values in {**ranges, "default": "DEFAULT"}.items():
            yield f"CREATE TABLE {table}_{suffix} PARTITION OF {table} {values} WITH ({options})"


def upgrade() -> None:
    """Create the tables with their indexes, comments and partitions."""
    op.execute(UPGRADE)
    for statement in partitions():
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
