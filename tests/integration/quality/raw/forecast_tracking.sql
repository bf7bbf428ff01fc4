-- A small, clean forecast tracking database: every table has rows, every optional column that a check looks at is filled somewhere.
insert into users (user_id, username, email, auth_provider, login_count) values
    (1, 'ada', 'ada@example.org', 'local', 3), (2, 'grace', 'grace@example.org', 'oauth2', 0), (3, 'emmy', 'emmy@example.org', 'ldap', 1);
insert into experiments (experiment_id, experiment_name, status, created_at, updated_at, deleted_at) values
    (1, 'monthly demand', 'active', '2025-01-01', '2025-01-02', null), (2, 'old', 'deleted', '2025-01-01', '2025-01-03', '2025-01-03');
insert into user_experiments (user_experiment_id, user_id, experiment_id, permission_level) values (1, 1, 1, 'owner'), (2, 2, 1, 'read'), (3, 1, 2, 'owner');
insert into runs (run_id, experiment_id, parent_run_id, run_name, run_fingerprint, status, start_time, end_time, execution_duration_seconds,
    source_type, created_at, updated_at) values
    (1, 1, null, 'parent', repeat('a', 64), 'completed', '2025-01-02 10:00', '2025-01-02 10:05', 300, 'script', '2025-01-02 10:00', '2025-01-02 10:05'),
    (2, 1, 1, 'child', repeat('b', 64), 'failed', '2025-01-02 10:01', '2025-01-02 10:02', 60, 'cli', '2025-01-02 10:01', '2025-01-02 10:02'),
    (3, 1, null, 'under way', repeat('c', 64), 'running', '2025-01-02 11:00', null, null, null, '2025-01-02 11:00', '2025-01-02 11:00'),
    (4, 2, null, 'same fingerprint elsewhere', repeat('a', 64), 'killed', '2025-01-02 12:00', '2025-01-02 12:00', 0, 'api', '2025-01-02 12:00', '2025-01-02 12:00');
insert into datasets (dataset_id, dataset_name, dataset_type, file_path, file_size_bytes, num_rows, num_columns, num_time_series, start_date, end_date,
    parent_dataset_id, created_at, updated_at) values
    (1, 'raw', 'raw', '/data/raw.csv', 1000, 120, 3, 2, '2015-01-01', '2024-12-01', null, '2025-01-01', '2025-01-01'),
    (2, 'train', 'training', '/data/train.csv', 0, 0, 3, 0, null, null, 1, '2025-01-01', '2025-01-01');
insert into dataset_features (feature_id, dataset_id, feature_name, feature_type, data_type, min_value, max_value, mean_value, median_value, std_value,
    num_unique_values, missing_count, missing_percentage, feature_role, exogenous_type, importance_score, correlation_with_target, created_at, updated_at) values
    (1, 1, 'y', 'numeric', 'float64', 1, 9, 4.5, 4, 2, 100, 0, 0, 'target', null, null, 1, '2025-01-01', '2025-01-01'),
    (2, 1, 'constant', 'numeric', 'float64', 0.1, 0.1, 0.10000000000000003, 0.1, 0, 1, 12, 10, 'feature', 'static', 0.2, null, '2025-01-01', '2025-01-01'),
    (3, 2, 'ds', 'datetime', 'datetime64', null, null, null, null, null, null, 0, 0, 'timestamp', null, null, null, '2025-01-01', '2025-01-01');
insert into models (model_id, run_id, model_name, model_type, framework, model_config, training_dataset_id, training_samples,
    training_duration_seconds, model_size_bytes, model_file_path, status, created_at, updated_at) values
    (1, 1, 'naive', 'SeasonalNaive', 'sklearn', '{}', 1, 120, 0, 1, '/models/1', 'evaluated', '2025-01-02', '2025-01-02'),
    (2, 1, 'arima', 'ARIMA', 'sklearn', '{}', null, null, null, null, '/models/2', 'trained', '2025-01-02', '2025-01-02');
insert into model_registry (registry_id, model_id, registered_model_name, model_version, current_stage, previous_stage, approved_at, deployed_at,
    created_at, updated_at) values
    (1, 1, 'demand', 1, 'archived', 'production', '2025-01-03', '2025-01-03', '2025-01-02', '2025-01-05'),
    (2, 2, 'demand', 2, 'production', 'staging', '2025-01-04', '2025-01-05', '2025-01-03', '2025-01-05');
insert into metrics (metric_id, run_id, model_id, metric_name, metric_value, metric_step, dataset_type) values
    (1, 1, 1, 'mae', 0, 0, 'validation'), (2, 1, 1, 'smape', 200, 0, 'validation'), (3, 1, 1, 'coverage_90', 1, 0, 'test'),
    (4, 1, 2, 'log_likelihood', -120.5, 7, 'train'), (5, 2, null, 'r2', -3, 0, 'test'), (6, 1, 2, 'coverage', 0, 0, 'test'),
    (7, 1, 2, 'accuracy', 1, 0, 'production'), (8, 1, 2, 'bias', -2, 0, 'test');
insert into metric_summaries (summary_id, run_id, model_id, metric_name, dataset_type, min_value, q1_value, median_value, q3_value, max_value, mean_value,
    std_value, sample_count, created_at, updated_at) values
    (1, 1, 1, 'mae', 'validation', 1, 2, 3, 4, 5, 3, 1.5, 5, '2025-01-02', '2025-01-02'),
    (2, 1, null, 'mae', 'test', 1, 1, 1, 1, 1, 1, null, 1, '2025-01-02', '2025-01-02'),
    (3, 1, 2, 'mae', 'validation', 1, 2, 3, 4, 5, 3, 1.5, 5, '2025-01-02', '2025-01-02');
insert into hyperparameters (hyperparameter_id, run_id, param_key, param_value, param_type) values
    (1, 1, 'season_length', '12', 'integer'), (2, 1, 'alpha', '1.5e-3', 'float'), (3, 1, 'damped', 'True', 'boolean'), (4, 1, 'note', 'any', 'string');
insert into hyperparameter_search_spaces (search_space_id, space_name, model_type, framework, search_space_definition, created_at, updated_at) values
    (1, 'arima orders', 'ARIMA', 'statsmodels', '{}', '2025-01-01', '2025-01-01'), (2, 'ets', 'ETS', 'statsmodels', '{}', '2025-01-01', '2025-01-01');
insert into artifacts (artifact_id, run_id, artifact_name, artifact_type, artifact_path, file_size_bytes, storage_type, storage_path, created_at, updated_at) values
    (1, 1, 'plot', 'plot', 'plot.png', 0, 'local', '/artifacts/plot.png', '2025-01-02', '2025-01-02'),
    (2, 1, 'log', 'log', 'log.txt', 10, 's3', 's3://artifacts/log.txt', '2025-01-02', '2025-01-02');
insert into predictions (prediction_id, run_id, model_id, prediction_date, unique_id, horizon, predicted_value, actual_value, lower_bound, upper_bound,
    confidence_level, metadata) values
    (1, 1, 1, '2025-02-01', 'a', 1, 10, 11, 8, 12, 0.90, '{"cutoff": "2025-01-01"}'), (2, 1, 1, '2025-02-01', 'a', 1, 10, 11, 10, 10, 0.80, '{"cutoff": "2025-01-01"}'),
    (3, 1, 1, '2025-03-01', 'a', 2, 10, null, null, null, null, '{"cutoff": "2025-01-01"}'), (4, 1, 2, '2025-02-01', 'a', 1, -3, 11, -5, -1, 0.95, '{"cutoff": "2025-01-01"}'),
    (5, 1, 1, '2025-03-01', 'a', 1, 10, 12, null, null, null, '{"cutoff": "2025-02-01"}'), (6, 1, 1, '2025-04-01', 'a', 2, 10, null, null, null, null, '{"cutoff": "2025-02-01"}'),
    (7, 1, 1, '2025-02-01', 'b', 1, 10, 5, null, null, null, '{}');
insert into system_logs (log_id, log_level, log_message, run_id, created_at) values
    (1, 'INFO', 'started', 1, '2025-01-02'), (2, 'ERROR', 'the fit failed', 2, '2025-01-02'), (3, 'DEBUG', 'no run', null, '2025-01-02');
insert into tags (tag_id, tag_name, usage_count, created_at, updated_at) values (1, 'demo', 0, '2025-01-01', '2025-01-01'), (2, 'prod', 4, '2025-01-01', '2025-01-02');
