-- One more row for each partitioned table, of a time that whoever adds it says.
INSERT INTO file_operations (session_id, user_id, operation_type, file_path, created_at)
VALUES ('s-1', 1, 'update', 'notes/g.txt', %s);
INSERT INTO notification_history (user_id, notification_type, service_type, title, message, created_at)
VALUES (1, 'task_completed', 'webhook', 'done', 'The task is done.', %s);
INSERT INTO system_logs (level, category, module, message, created_at)
VALUES ('INFO', 'session', 'client', 'started', %s);
