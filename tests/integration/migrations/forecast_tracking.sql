-- One row in every table of the forecast tracking database, in the order of their foreign keys.
INSERT INTO users (username, email) VALUES ('ada', 'ada@example.org');
INSERT INTO experiments (experiment_name) VALUES ('airline passengers');
INSERT INTO user_experiments (user_id, experiment_id) VALUES (1, 1);
INSERT INTO runs (experiment_id, run_name, run_fingerprint) VALUES (1, 'first', repeat('a', 64));
INSERT INTO datasets (dataset_name, dataset_type, file_path) VALUES ('airline', 'training', 'airline.csv');
INSERT INTO dataset_features (dataset_id, feature_name, feature_type, data_type) VALUES (1, 'passengers', 'numeric', 'float64');
INSERT INTO models (run_id, model_name, model_type, framework, model_config, training_dataset_id, model_file_path, status)
VALUES (1, 'ets', 'ETS', 'statsmodels', '{}', 1, 'ets.pickle', 'evaluated');
INSERT INTO model_registry (model_id, registered_model_name, model_version) VALUES (1, 'airline', 1);
INSERT INTO metrics (run_id, model_id, metric_name, metric_value) VALUES (1, 1, 'mae', 12.5);
INSERT INTO metric_summaries (run_id, model_id, metric_name, dataset_type, sample_count) VALUES (1, 1, 'mae', 'test', 1);
INSERT INTO hyperparameters (run_id, param_key, param_value) VALUES (1, 'trend', 'additive');
INSERT INTO hyperparameter_search_spaces (space_name, model_type, framework, search_space_definition)
VALUES ('ets', 'ETS', 'statsmodels', '{"trend": ["add", "mul"]}');
INSERT INTO artifacts (run_id, artifact_name, artifact_type, artifact_path, storage_path)
VALUES (1, 'forecast', 'prediction', 'forecast.csv', 'file:///forecast.csv');
INSERT INTO predictions (run_id, model_id, prediction_date, unique_id, horizon, predicted_value)
VALUES (1, 1, '1949-02-01', 'airline', 1, 118.0);
INSERT INTO system_logs (log_level, log_message, run_id) VALUES ('INFO', 'fitted', 1);
INSERT INTO tags (tag_name) VALUES ('monthly');
