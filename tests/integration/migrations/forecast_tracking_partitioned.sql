-- One more row for each partitioned table, of a time that whoever adds it says.
INSERT INTO audit.audit_logs (table_name, operation_type, user_id, created_at)
VALUES ('runs', 'INSERT', 'ada', %s);
INSERT INTO predictions (run_id, model_id, unique_id, horizon, predicted_value, prediction_date)
VALUES (1, 1, 'airline', 1, 1, %s);
INSERT INTO system_logs (log_level, log_message, created_at)
VALUES ('INFO', 'started', %s);
