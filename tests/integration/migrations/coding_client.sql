-- One row in every table of the coding client database, in the order of their foreign keys.
INSERT INTO users (username, email, hashed_password) VALUES ('ada', 'ada@example.org', '!');
INSERT INTO auth_tokens (token_id, user_id, expires_at, ip_address) VALUES ('t-1', 1, '2999-01-01 00:00:00+00', '192.0.2.1');
INSERT INTO projects (project_id, name, owner_id) VALUES ('p-1', 'analytical engine', 1);
INSERT INTO worktrees (worktree_id, repository_path, worktree_path, branch_name, user_id, project_id)
VALUES ('w-1', '/repositories/engine', '/worktrees/engine', 'main', 1, 1);
INSERT INTO worktree_sync_history (source_worktree_id, sync_type, status, executed_by) VALUES ('w-1', 'push', 'success', 1);
INSERT INTO sessions (session_id, name, container_id, user_id, project_id, worktree_id) VALUES ('s-1', 'first', 'c-1', 1, 1, 'w-1');
INSERT INTO collaboration_sessions (session_id, host_user_id, access_token) VALUES ('s-1', 1, 'secret');
INSERT INTO notification_settings (user_id, notification_type, service_type) VALUES (1, 'task_completed', 'webhook');
INSERT INTO notification_history (user_id, session_id, notification_type, service_type, title, message, created_at)
VALUES (1, 's-1', 'task_completed', 'webhook', 'done', 'The task is done.', '2025-01-31 23:30:00+00');
INSERT INTO file_operations (session_id, user_id, operation_type, file_path, created_at)
VALUES ('s-1', 1, 'create', 'notes/g.txt', '2025-02-01 00:30:00+00');
INSERT INTO system_logs (level, category, module, user_id, session_id, message, created_at)
VALUES ('INFO', 'session', 'client', 1, 's-1', 'started', '1843-09-01 00:00:00+00');
INSERT INTO system_settings (setting_key, setting_value, updated_by) VALUES ('theme', '"dark"', 1);
