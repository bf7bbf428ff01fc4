"""Create the tables of log lines and audit records."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE system_logs (
    log_id BIGSERIAL NOT NULL,
    log_level VARCHAR(20) NOT NULL,
    log_message TEXT NOT NULL,
    log_source VARCHAR(255),
    run_id BIGINT,
    user_id VARCHAR(255),
    stack_trace TEXT,
    exception_type VARCHAR(255),
    extra_data JSONB DEFAULT '{}',
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (log_id, created_at),
    CONSTRAINT ck_logs_level CHECK (log_level IN ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')),
    FOREIGN KEY (run_id) REFERENCES runs (run_id) ON DELETE SET NULL
) PARTITION BY RANGE (created_at);
CREATE TABLE system_logs_default PARTITION OF system_logs DEFAULT;
CREATE INDEX idx_logs_level ON system_logs (log_level);
CREATE INDEX idx_logs_created_at ON system_logs (created_at DESC);
CREATE INDEX idx_logs_run_id ON system_logs (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX idx_logs_source ON system_logs (log_source);
COMMENT ON TABLE system_logs IS 'Log lines of the tracking system; partitioned by calendar month.';

CREATE TABLE audit.audit_logs (
    audit_id BIGSERIAL NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    operation_type VARCHAR(20) NOT NULL,
    record_id BIGINT,
    old_values JSONB,
    new_values JSONB,
    changed_fields JSONB,
    user_id VARCHAR(255),
    user_ip VARCHAR(50),
    session_id VARCHAR(255),
    created_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    PRIMARY KEY (audit_id, created_at),
    CONSTRAINT ck_audit_operation CHECK (operation_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
) PARTITION BY RANGE (created_at);
CREATE TABLE audit.audit_logs_default PARTITION OF audit.audit_logs DEFAULT;
CREATE INDEX idx_audit_table ON audit.audit_logs (table_name);
CREATE INDEX idx_audit_operation ON audit.audit_logs (operation_type);
CREATE INDEX idx_audit_user ON audit.audit_logs (user_id);
CREATE INDEX idx_audit_created_at ON audit.audit_logs (created_at DESC);
COMMENT ON TABLE audit.audit_logs IS 'Who changed which record when, and from what to what; partitioned by calendar quarter.';
COMMENT ON COLUMN audit.audit_logs.record_id IS 'Value of the audited table''s own key.';
COMMENT ON COLUMN audit.audit_logs.changed_fields IS 'The fields that an update changed, with their new values.';
COMMENT ON COLUMN audit.audit_logs.user_id IS 'Database role that logged in (session_user).';
COMMENT ON COLUMN audit.audit_logs.session_id IS 'Session as %c of log_line_prefix: start time and process, in hexadecimal.';
"""

DOWNGRADE = """
DROP TABLE audit.audit_logs;
DROP TABLE system_logs;
"""


def upgrade() -> None:
    """Create the tables with their indexes and comments."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Drop the tables."""
    op.execute(DOWNGRADE)
