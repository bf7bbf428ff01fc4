"""The tables of the coding client database as typed SQLAlchemy models.

Belongs here: tables, columns, keys, checks, indexes and their comments, exactly as the newest revision leaves them (`alembic check` and a
test hold the two together). Does not belong here: what SQLAlchemy cannot say, that is partitions, triggers and roles (`versions/`), and
rows of any kind. A class's docstring is its table's comment. Times carry a time zone.
"""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from sqlalchemy import (
    TIMESTAMP,
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    desc,
    false,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from migrations.columns import (
    KINDS,
    BigInt,
    Documented,
    JsonList,
    JsonObject,
    Str10,
    Str20,
    Str36,
    Str40,
    Str50,
    Str64,
    Str100,
    Str200,
    Str255,
    Str500,
    Str1000,
)

NOW = text("now()")

Key = Annotated[int, mapped_column(Integer, primary_key=True)]
Address = IPv4Address | IPv6Address
Count = Annotated[int, mapped_column(server_default=text("0"))]
Yes = Annotated[bool, mapped_column(server_default=true())]
No = Annotated[bool, mapped_column(server_default=false())]
Attributes = Annotated[JsonObject, mapped_column(JSONB(none_as_null=True), server_default=text("'{}'"))]
Items = Annotated[JsonList, mapped_column(JSONB(none_as_null=True), server_default=text("'[]'"))]
CreatedAt = Annotated[datetime, mapped_column(server_default=NOW)]
UpdatedAt = Annotated[datetime, mapped_column(server_default=NOW, server_onupdate=FetchedValue())]


class Base(Documented, DeclarativeBase):
    """Root of the models; `Base.metadata` is what `alembic check` compares a database with."""

    type_annotation_map = {**KINDS, Address: INET, datetime: TIMESTAMP(timezone=True)}  # noqa: RUF012 (SQLAlchemy's own contract)


class User(Base):
    """Users with their credentials and limits."""

    __tablename__ = "users"

    id: Mapped[Key]
    username: Mapped[Str50] = mapped_column(unique=True, comment="Name that the user logs in with: letters, digits, _ and -.")
    email: Mapped[Str100 | None]
    hashed_password: Mapped[Str255] = mapped_column(
        comment="Hash of the password with its salt and parameters, as the application writes it."
    )
    is_active: Mapped[Yes | None] = mapped_column(comment="Whether the user may log in.")
    is_admin: Mapped[No | None] = mapped_column(comment="Whether the user administers the client.")
    preferences: Mapped[Attributes | None] = mapped_column(
        comment="Settings of the user interface, such as the language, as a JSON object."
    )
    resource_quota: Mapped[JsonObject | None] = mapped_column(
        server_default=text("""'{"max_sessions": 5, "max_worktrees": 10, "storage_limit_gb": 5, "api_calls_per_hour": 1000}'"""),
        comment="Limits of the user, as a JSON object: max_sessions, max_worktrees, storage_limit_gb, api_calls_per_hour.",
    )
    last_login: Mapped[datetime | None]
    login_count: Mapped[Count | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    __table_args__ = (
        CheckConstraint("length(username) >= 3", name="chk_username_length"),
        CheckConstraint("username ~* '^[a-zA-Z0-9_-]+$'", name="chk_username_alphanumeric"),
        CheckConstraint(r"email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'", name="chk_email_format"),
        Index("uk_users_email", "email", unique=True, postgresql_where=text("email IS NOT NULL")),
    )


class AuthToken(Base):
    """Tokens that users have logged in with."""

    __tablename__ = "auth_tokens"

    id: Mapped[Key]
    token_id: Mapped[Str36] = mapped_column(unique=True, comment="Identifier that the token carries (UUID).")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_type: Mapped[Str20 | None] = mapped_column(server_default=text("'access'"), comment="access or refresh.")
    expires_at: Mapped[datetime]
    is_active: Mapped[Yes | None] = mapped_column(comment="False once the token is revoked.")
    ip_address: Mapped[Address | None] = mapped_column(comment="Address that the token was issued to.")
    user_agent: Mapped[str | None]
    last_used: Mapped[datetime | None]
    created_at: Mapped[CreatedAt | None]

    __table_args__ = (
        CheckConstraint("token_type IN ('access', 'refresh')", name="chk_token_type"),
        Index("idx_auth_tokens_user_id", "user_id"),
        Index("idx_auth_tokens_user_active", "user_id", "is_active", postgresql_where=text("is_active = TRUE")),
        Index("idx_auth_tokens_expires", "expires_at", postgresql_where=text("is_active = TRUE")),
        Index("idx_auth_tokens_valid", "user_id", "expires_at", postgresql_where=text("is_active = TRUE")),
    )


class Project(Base):
    """Projects: what is worked on, its repository and its settings."""

    __tablename__ = "projects"

    id: Mapped[Key]
    project_id: Mapped[Str36] = mapped_column(unique=True, comment="Identifier of the project outside the database (UUID).")
    name: Mapped[Str100]
    description: Mapped[str | None]
    project_type: Mapped[Str50 | None] = mapped_column(server_default=text("'general'"), comment="web, api, cli, mobile, data or general.")
    repository_url: Mapped[Str500 | None]
    local_path: Mapped[Str500 | None]
    default_branch: Mapped[Str100 | None] = mapped_column(server_default=text("'main'"))
    tech_stack: Mapped[Items | None] = mapped_column(
        comment="Languages and products that the project uses, as a JSON list of names, such as python, fastapi, postgresql."
    )
    build_config: Mapped[Attributes | None] = mapped_column(comment="How the project is built, as a JSON object.")
    deploy_config: Mapped[Attributes | None] = mapped_column(comment="How the project is deployed, as a JSON object.")
    environment_vars: Mapped[Attributes | None] = mapped_column(
        comment="Environment variables of the project's sessions, as a JSON object; secrets among them."
    )
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    is_public: Mapped[No | None] = mapped_column(comment="Whether every user may see the project.")
    collaborators: Mapped[Items | None] = mapped_column(
        comment="Users with rights on the project, as a JSON list of objects: user_id, role."
    )
    total_sessions: Mapped[Count | None] = mapped_column(comment="Sessions of the project; kept by trigger.")
    total_commits: Mapped[Count | None] = mapped_column(comment="Commits in the repository, as the application counts them.")
    total_worktrees: Mapped[Count | None] = mapped_column(comment="Worktrees of the project; kept by trigger.")
    last_activity: Mapped[datetime | None] = mapped_column(
        comment="When a session or worktree of the project last changed; kept by trigger."
    )
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    __table_args__ = (
        CheckConstraint("project_type IN ('web', 'api', 'cli', 'mobile', 'data', 'general')", name="chk_project_type"),
        Index("idx_projects_owner_activity", "owner_id", desc("last_activity")),
        Index("idx_projects_public_activity", "is_public", desc("last_activity"), postgresql_where=text("is_public = TRUE")),
        Index(
            "idx_projects_search",
            text("to_tsvector('simple', (name || ' ') || COALESCE(description, ''))"),
            postgresql_using="gin",
        ),
    )


class Worktree(Base):
    """Working trees of Git repositories."""

    __tablename__ = "worktrees"

    id: Mapped[Key]
    worktree_id: Mapped[Str36] = mapped_column(unique=True, comment="Identifier of the worktree outside the database (UUID).")
    repository_path: Mapped[Str500] = mapped_column(comment="Where the repository is that the worktree belongs to.")
    worktree_path: Mapped[Str500] = mapped_column(comment="Where the working files are.")
    branch_name: Mapped[Str100]
    commit_hash: Mapped[Str40 | None] = mapped_column(comment="SHA-1 of the commit that is checked out.")
    remote_url: Mapped[Str500 | None]
    status: Mapped[Str20 | None] = mapped_column(server_default=text("'active'"), comment="active, inactive or error.")
    sync_status: Mapped[Str20 | None] = mapped_column(server_default=text("'clean'"), comment="clean, dirty, conflicted or syncing.")
    last_sync: Mapped[datetime | None]
    file_count: Mapped[Count | None]
    total_size_bytes: Mapped[BigInt | None] = mapped_column(server_default=text("0"))
    uncommitted_changes: Mapped[No | None] = mapped_column(comment="Whether tracked files differ from the commit.")
    untracked_files: Mapped[Count | None] = mapped_column(comment="Number of files that Git does not track.")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]
    last_accessed: Mapped[CreatedAt | None]

    __table_args__ = (
        CheckConstraint("status IN ('active', 'inactive', 'error')", name="chk_worktree_status"),
        CheckConstraint("sync_status IN ('clean', 'dirty', 'conflicted', 'syncing')", name="chk_sync_status"),
        CheckConstraint("repository_path <> worktree_path", name="chk_paths_different"),
        UniqueConstraint("worktree_path", name="uk_worktree_path"),
        Index("idx_worktrees_user_id", "user_id"),
        Index("idx_worktrees_project_id", "project_id"),
        Index("idx_worktrees_user_repository", "user_id", "repository_path"),
        Index("idx_worktrees_status_accessed", "status", desc("last_accessed")),
        Index("idx_worktrees_active", "user_id", desc("last_accessed"), postgresql_where=text("status = 'active'")),
    )


class WorktreeSync(Base):
    """Synchronisations of worktrees, with their outcome."""

    __tablename__ = "worktree_sync_history"

    id: Mapped[Key]
    source_worktree_id: Mapped[Str36] = mapped_column(ForeignKey("worktrees.worktree_id", ondelete="CASCADE"))
    target_worktree_id: Mapped[Str36 | None] = mapped_column(ForeignKey("worktrees.worktree_id", ondelete="SET NULL"))
    sync_type: Mapped[Str20] = mapped_column(comment="merge, cherry-pick, rebase, pull or push.")
    sync_direction: Mapped[Str10 | None] = mapped_column(server_default=text("'push'"), comment="push, pull or bidirectional.")
    status: Mapped[Str20] = mapped_column(comment="success, failed, partial or cancelled.")
    files_changed: Mapped[Count | None]
    lines_added: Mapped[Count | None]
    lines_deleted: Mapped[Count | None]
    conflicts_count: Mapped[Count | None]
    commit_hash: Mapped[Str40 | None] = mapped_column(comment="SHA-1 of the commit that the synchronisation ended with.")
    error_message: Mapped[str | None]
    error_code: Mapped[Str20 | None]
    executed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    execution_time_ms: Mapped[int | None]
    created_at: Mapped[CreatedAt | None]

    __table_args__ = (
        CheckConstraint("sync_type IN ('merge', 'cherry-pick', 'rebase', 'pull', 'push')", name="chk_sync_type"),
        CheckConstraint("sync_direction IN ('push', 'pull', 'bidirectional')", name="chk_sync_direction"),
        CheckConstraint("status IN ('success', 'failed', 'partial', 'cancelled')", name="chk_sync_status"),
        Index("idx_worktree_sync_source_created", "source_worktree_id", desc("created_at")),
        Index("idx_worktree_sync_target", "target_worktree_id"),
        Index("idx_worktree_sync_executed_by", "executed_by"),
    )


class CodingSession(Base):
    """Sessions of the coding client."""

    __tablename__ = "sessions"

    id: Mapped[Key]
    session_id: Mapped[Str36] = mapped_column(unique=True, comment="Identifier of the session outside the database (UUID).")
    name: Mapped[Str100]
    description: Mapped[str | None]
    status: Mapped[Str20 | None] = mapped_column(
        server_default=text("'stopped'"), comment="starting, running, stopping, stopped or error; a stopped session may be started again."
    )
    working_directory: Mapped[Str500 | None]
    container_id: Mapped[Str64 | None] = mapped_column(comment="Container that the session runs in.")
    port_mapping: Mapped[Attributes | None] = mapped_column(comment="Ports of the container by port of the host, as a JSON object.")
    context_data: Mapped[JsonObject | None] = mapped_column(comment="Saved state of the conversation, as JSON.")
    claude_session_id: Mapped[Str64 | None] = mapped_column(comment="Identifier of the session with the model's provider.")
    total_tokens_used: Mapped[Count | None]
    resource_limits: Mapped[JsonObject | None] = mapped_column(
        server_default=text("""'{"cpu_limit": 1.0, "memory_limit_mb": 512, "storage_limit_mb": 1024, "process_limit": 50}'"""),
        comment="Limits of the container, as a JSON object: cpu_limit, memory_limit_mb, storage_limit_mb, process_limit.",
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"))
    worktree_id: Mapped[Str36 | None] = mapped_column(ForeignKey("worktrees.worktree_id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]
    last_accessed: Mapped[CreatedAt | None] = mapped_column(comment="When the session was last used.")

    __table_args__ = (
        CheckConstraint("status IN ('running', 'stopped', 'error', 'starting', 'stopping')", name="chk_session_status"),
        CheckConstraint("jsonb_typeof(resource_limits) = 'object'", name="chk_resource_limits_valid"),
        Index("uk_sessions_container", "container_id", unique=True, postgresql_where=text("container_id IS NOT NULL")),
        Index("idx_sessions_user_id", "user_id"),
        Index("idx_sessions_project_id", "project_id"),
        Index("idx_sessions_worktree_id", "worktree_id"),
        Index("idx_sessions_user_status", "user_id", "status"),
        Index("idx_sessions_status_updated", "status", "updated_at"),
        Index("idx_sessions_user_last_accessed", "user_id", desc("last_accessed")),
        Index("idx_sessions_active", "user_id", desc("last_accessed"), postgresql_where=text("status IN ('running', 'starting')")),
        Index("idx_sessions_error", "user_id", desc("updated_at"), postgresql_where=text("status = 'error'")),
    )


class CollaborationSession(Base):
    """Sessions that their users share with others."""

    __tablename__ = "collaboration_sessions"

    id: Mapped[Key]
    session_id: Mapped[Str36] = mapped_column(ForeignKey("sessions.session_id", ondelete="CASCADE"))
    host_user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), comment="User who shares the session.")
    share_mode: Mapped[Str20 | None] = mapped_column(server_default=text("'read_only'"), comment="read_only, edit or full_control.")
    max_participants: Mapped[int | None] = mapped_column(server_default=text("5"))
    requires_approval: Mapped[Yes | None] = mapped_column(comment="Whether the host lets each participant in.")
    is_public: Mapped[No | None] = mapped_column(comment="Whether every user may join.")
    access_token: Mapped[Str64 | None] = mapped_column(unique=True, comment="Secret that lets its bearer join.")
    expires_at: Mapped[datetime | None]
    allowed_users: Mapped[Items | None] = mapped_column(comment="Users who may join, as a JSON list of their keys.")
    current_participants: Mapped[Count | None]
    total_joins: Mapped[Count | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    __table_args__ = (
        CheckConstraint("share_mode IN ('read_only', 'edit', 'full_control')", name="chk_share_mode"),
        CheckConstraint("max_participants > 0 AND max_participants <= 20", name="chk_max_participants"),
        Index("idx_collaboration_sessions_session_id", "session_id"),
        Index("idx_collaboration_sessions_host_user_id", "host_user_id"),
    )


class NotificationSetting(Base):
    """What users want to be told of, and by which service."""

    __tablename__ = "notification_settings"

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    notification_type: Mapped[Str50] = mapped_column(comment="claude_request, task_completed, error_occurred or collaboration_invite.")
    service_type: Mapped[Str20] = mapped_column(comment="web_push, webhook, line, slack or discord.")
    is_enabled: Mapped[Yes | None]
    push_subscription: Mapped[JsonObject | None] = mapped_column(comment="PushSubscription of the Web Push API, with its keys.")
    push_endpoint: Mapped[Str500 | None]
    webhook_url: Mapped[Str500 | None]
    webhook_secret: Mapped[Str100 | None] = mapped_column(comment="Secret that messages to the webhook are signed with.")
    webhook_headers: Mapped[Attributes | None] = mapped_column(
        comment="Headers of the webhook's requests, as a JSON object; may hold secrets."
    )
    service_config: Mapped[Attributes | None] = mapped_column(
        comment="Settings of the service, such as LINE, Slack or Discord, as a JSON object; may hold secrets."
    )
    filter_rules: Mapped[Attributes | None] = mapped_column(comment="Which notifications are wanted, as a JSON object.")
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    __table_args__ = (
        CheckConstraint(
            "notification_type IN ('claude_request', 'task_completed', 'error_occurred', 'collaboration_invite')",
            name="chk_notification_type",
        ),
        CheckConstraint("service_type IN ('web_push', 'webhook', 'line', 'slack', 'discord')", name="chk_service_type"),
        UniqueConstraint("user_id", "notification_type", "service_type", name="uk_user_notification_service"),
        Index("idx_notification_settings_user_id", "user_id"),
        Index("idx_notification_settings_user_enabled", "user_id", "is_enabled"),
    )


class Notification(Base):
    """Notifications and how their delivery went; partitioned by calendar month."""

    __tablename__ = "notification_history"

    id: Mapped[Key] = mapped_column(autoincrement=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[Str36 | None] = mapped_column(ForeignKey("sessions.session_id", ondelete="SET NULL"))
    notification_type: Mapped[Str50] = mapped_column(comment="What is told, in the words of notification_settings.")
    service_type: Mapped[Str20] = mapped_column(comment="By which service, in the words of notification_settings.")
    title: Mapped[Str200]
    message: Mapped[str]
    payload: Mapped[JsonObject | None] = mapped_column(comment="What was sent beside the message, as JSON.")
    priority: Mapped[Str10 | None] = mapped_column(server_default=text("'normal'"), comment="low, normal, high or urgent.")
    status: Mapped[Str20 | None] = mapped_column(server_default=text("'pending'"), comment="pending, sent, failed or cancelled.")
    retry_count: Mapped[Count | None] = mapped_column(comment="Attempts after the first one.")
    max_retries: Mapped[int | None] = mapped_column(server_default=text("3"))
    response_code: Mapped[int | None] = mapped_column(comment="HTTP status of the last attempt.")
    response_body: Mapped[str | None]
    error_message: Mapped[str | None]
    scheduled_at: Mapped[CreatedAt | None] = mapped_column(comment="When the notification was due.")
    sent_at: Mapped[datetime | None] = mapped_column(comment="When the service accepted it.")
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True)

    __table_args__ = (
        CheckConstraint(
            "notification_type IN ('claude_request', 'task_completed', 'error_occurred', 'collaboration_invite')",
            name="chk_notification_history_type",
        ),
        CheckConstraint("service_type IN ('web_push', 'webhook', 'line', 'slack', 'discord')", name="chk_notification_history_service"),
        CheckConstraint("status IN ('pending', 'sent', 'failed', 'cancelled')", name="chk_notification_status"),
        CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name="chk_priority"),
        CheckConstraint("retry_count <= max_retries", name="chk_retry_count_limit"),
        Index("idx_notification_history_user_id", "user_id"),
        Index("idx_notification_history_session_id", "session_id"),
        Index("idx_notification_history_user_status", "user_id", "status"),
        Index("idx_notification_history_status_scheduled", "status", "scheduled_at"),
        Index("idx_notification_failed", "user_id", desc("created_at"), postgresql_where=text("status = 'failed'")),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )


class FileOperation(Base):
    """What sessions did to files; partitioned by calendar month."""

    __tablename__ = "file_operations"

    id: Mapped[Key] = mapped_column(autoincrement=True)
    session_id: Mapped[Str36] = mapped_column(ForeignKey("sessions.session_id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    operation_type: Mapped[Str20] = mapped_column(comment="create, read, update, delete, rename, move or copy.")
    file_path: Mapped[Str1000]
    old_file_path: Mapped[Str1000 | None] = mapped_column(comment="Where the file was before it was renamed, moved or copied.")
    content_hash: Mapped[Str64 | None] = mapped_column(comment="Hash of the content after the operation, hexadecimal.")
    file_size_bytes: Mapped[BigInt | None] = mapped_column(server_default=text("0"), comment="Size after the operation.")
    mime_type: Mapped[Str100 | None]
    encoding: Mapped[Str20 | None] = mapped_column(server_default=text("'utf-8'"))
    is_binary: Mapped[No | None]
    language: Mapped[Str50 | None] = mapped_column(comment="Programming language of the file.")
    line_count: Mapped[int | None] = mapped_column(comment="Lines after the operation.")
    execution_time_ms: Mapped[int | None]
    success: Mapped[Yes | None]
    error_message: Mapped[str | None]
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True)

    __table_args__ = (
        CheckConstraint("operation_type IN ('create', 'read', 'update', 'delete', 'rename', 'move', 'copy')", name="chk_operation_type"),
        Index("idx_file_operations_session_id", "session_id"),
        Index("idx_file_operations_user_id", "user_id"),
        Index("idx_file_operations_user_created", "user_id", desc("created_at")),
        Index("idx_file_operations_session_type", "session_id", "operation_type"),
        Index("idx_file_operations_path_search", text("to_tsvector('simple', file_path)"), postgresql_using="gin"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )


class SystemLog(Base):
    """Log lines of the client's own work; partitioned by calendar month."""

    __tablename__ = "system_logs"

    id: Mapped[Key] = mapped_column(autoincrement=True)
    level: Mapped[Str10] = mapped_column(comment="DEBUG, INFO, WARN, ERROR or CRITICAL.")
    category: Mapped[Str50] = mapped_column(comment="What kind of event it was.")
    module: Mapped[Str50] = mapped_column(comment="Part of the client that wrote the line.")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    session_id: Mapped[Str36 | None] = mapped_column(ForeignKey("sessions.session_id", ondelete="SET NULL"))
    message: Mapped[str]
    details: Mapped[JsonObject | None] = mapped_column(comment="Further facts, as JSON.")
    request_id: Mapped[Str36 | None] = mapped_column(comment="Request that the line was written for (UUID).")
    ip_address: Mapped[Address | None]
    user_agent: Mapped[str | None]
    created_at: Mapped[CreatedAt] = mapped_column(primary_key=True)

    __table_args__ = (
        CheckConstraint("level IN ('DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL')", name="chk_log_level"),
        Index("idx_system_logs_user_id", "user_id"),
        Index("idx_system_logs_session_id", "session_id"),
        Index("idx_system_logs_level_created", "level", desc("created_at")),
        Index("idx_system_logs_module_created", "module", desc("created_at")),
        Index("idx_system_logs_message_search", text("to_tsvector('simple', message)"), postgresql_using="gin"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )


class SystemSetting(Base):
    """Settings of the client, with the value before the last change."""

    __tablename__ = "system_settings"

    id: Mapped[Key]
    setting_key: Mapped[Str100] = mapped_column(unique=True)
    setting_value: Mapped[JsonObject] = mapped_column(comment="The value, as JSON; may be a secret.")
    data_type: Mapped[Str20 | None] = mapped_column(server_default=text("'json'"), comment="string, number, boolean, json or array.")
    category: Mapped[Str50 | None] = mapped_column(server_default=text("'general'"))
    description: Mapped[str | None]
    is_public: Mapped[No | None] = mapped_column(comment="Whether every user may see the setting.")
    is_readonly: Mapped[No | None] = mapped_column(comment="Whether the client refuses to change the setting.")
    version: Mapped[int | None] = mapped_column(server_default=text("1"), comment="Counts the changes of the setting.")
    previous_value: Mapped[JsonObject | None] = mapped_column(comment="Value before the last change; may be a secret.")
    updated_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    __table_args__ = (
        CheckConstraint("data_type IN ('string', 'number', 'boolean', 'json', 'array')", name="chk_data_type"),
        Index("idx_system_settings_updated_by", "updated_by"),
    )
