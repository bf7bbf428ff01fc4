"""Names and types of columns of well-known schemas, each with what a reader would say of it.

Belongs here: the names, and our own judgement of them, made by hand. Does not belong here: what the code says of them (`test_secrets`).

A column is `name type`. In front of the name: `-` it is a secret or personal data, `-?` it may be and is left out, `?` anything may stand
in it and it is read. Behind the type: `*` it belongs to a key or a foreign key. `SHORT_TYPES` are written in full by PostgreSQL.
"""

SHORT_TYPES = {
    "bool": "boolean",
    "float": "double precision",
    "int": "integer",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying",
}

AIRFLOW = {
    "variable": "id int*, key varchar, -val text, ?description text, is_encrypted bool",
    "connection": (
        "id int*, conn_id varchar, conn_type varchar, ?description text, -host varchar, "
        "schema varchar, -login text, -password text, port int, is_encrypted bool, is_extra_encrypted bool, -extra text"
    ),
    "dag": (
        "dag_id varchar*, is_paused bool, is_active bool, last_parsed_time timestamptz, fileloc varchar, "
        "owners varchar, ?description text, default_view varchar, schedule_interval text, max_active_tasks int, "
        "has_import_errors bool, next_dagrun timestamptz"
    ),
    "dag_run": (
        "id int*, dag_id varchar, queued_at timestamptz, execution_date timestamptz, "
        "state varchar, run_id varchar, creating_job_id int, external_trigger bool, run_type varchar, "
        "?conf bytea, data_interval_start timestamptz, dag_hash varchar, log_template_id int*, clear_number int"
    ),
    "task_instance": (
        "task_id varchar*, dag_id varchar*, run_id varchar*, map_index int*, duration float, "
        "state varchar, try_number int, max_tries int, hostname varchar, unixname varchar, job_id int, "
        "pool varchar, pool_slots int, queue varchar, priority_weight int, operator varchar, "
        "custom_operator_name varchar, queued_dttm timestamptz, pid int, executor_config bytea, "
        "external_executor_id varchar, trigger_id int*, next_method varchar, ?next_kwargs json, "
        "rendered_map_index varchar, task_display_name varchar"
    ),
    "log": (
        "id int*, dttm timestamptz, dag_id varchar, task_id varchar, event varchar, owner varchar, owner_display_name varchar, ?extra text"
    ),
    "job": (
        "id int*, dag_id varchar, state varchar, job_type varchar, executor_class varchar, "
        "hostname varchar, unixname varchar, latest_heartbeat timestamptz"
    ),
    "xcom": (
        "dag_run_id int*, task_id varchar*, map_index int*, key varchar*, dag_id varchar, "
        "run_id varchar, ?value bytea, timestamp timestamptz"
    ),
    "slot_pool": "id int*, pool varchar, slots int, ?description text, include_deferred bool",
    "session": "id int*, -?session_id varchar, -data bytea, expiry timestamp",
    "ab_user": (
        "id int*, -first_name varchar, -last_name varchar, username varchar, -password varchar, "
        "active bool, -email varchar, last_login timestamp, login_count int, fail_login_count int, "
        "created_on timestamp, changed_on timestamp, created_by_fk int*, changed_by_fk int*"
    ),
    "ab_register_user": (
        "id int*, -first_name varchar, -last_name varchar, username varchar, -password varchar, "
        "-email varchar, registration_date timestamp, -registration_hash varchar"
    ),
    "ab_permission_view_role": "id int*, permission_view_id int*, role_id int*",
}

MLFLOW = {
    "experiments": (
        "experiment_id int*, name varchar, artifact_location varchar, lifecycle_stage varchar, "
        "creation_time bigint, last_update_time bigint"
    ),
    "runs": (
        "run_uuid varchar*, name varchar, source_type varchar, source_name varchar, "
        "entry_point_name varchar, user_id varchar, status varchar, start_time bigint, end_time bigint, "
        "deleted_time bigint, source_version varchar, lifecycle_stage varchar, artifact_uri varchar, "
        "experiment_id int*"
    ),
    "metrics": ("key varchar*, value float*, timestamp bigint*, run_uuid varchar*, step bigint*, is_nan bool*"),
    "latest_metrics": "key varchar*, value float, timestamp bigint, step bigint, is_nan bool, run_uuid varchar*",
    "params": "key varchar*, value varchar, run_uuid varchar*",
    "tags": "key varchar*, value varchar, run_uuid varchar*",
    "experiment_tags": "key varchar*, value varchar, experiment_id int*",
    "registered_models": "name varchar*, creation_time bigint, last_updated_time bigint, ?description varchar",
    "model_versions": (
        "name varchar*, version int*, creation_time bigint, last_updated_time bigint, ?description varchar, "
        "user_id varchar, current_stage varchar, source varchar, run_id varchar, "
        "status varchar, ?status_message varchar, run_link varchar, storage_location varchar"
    ),
    "model_version_tags": "key varchar*, value text, name varchar*, version int*",
    "registered_model_aliases": "alias varchar*, version int, name varchar*",
    "datasets": (
        "dataset_uuid varchar, experiment_id int*, name varchar*, digest varchar*, "
        "dataset_source_type varchar, dataset_source text, dataset_schema text, dataset_profile text"
    ),
    "input_tags": "input_uuid varchar*, name varchar*, value varchar",
    "logged_model_params": "model_id varchar*, experiment_id int, param_key varchar*, param_value text",
    "trace_info": ("request_id varchar*, experiment_id int*, timestamp_ms bigint, execution_time_ms bigint, status varchar"),
    "trace_request_metadata": "key varchar*, ?value varchar, request_id varchar*",
}

OPTUNA = {
    "studies": "study_id int*, study_name varchar",
    "study_directions": "study_direction_id int*, direction varchar, study_id int*, objective int",
    "study_user_attributes": "study_user_attribute_id int*, study_id int*, key varchar, value_json text",
    "study_system_attributes": "study_system_attribute_id int*, study_id int*, key varchar, value_json text",
    "trials": ("trial_id int*, number int, study_id int*, state varchar, datetime_start timestamp, datetime_complete timestamp"),
    "trial_params": ("param_id int*, trial_id int*, param_name varchar, param_value float, distribution_json text"),
    "trial_values": ("trial_value_id int*, trial_id int*, objective int, value float, value_type varchar"),
    "trial_intermediate_values": (
        "trial_intermediate_value_id int*, trial_id int*, step int, intermediate_value float, intermediate_value_type varchar"
    ),
    "trial_user_attributes": "trial_user_attribute_id int*, trial_id int*, key varchar, value_json text",
    "trial_heartbeats": "trial_heartbeat_id int*, trial_id int*, heartbeat timestamp",
    "version_info": "version_info_id int*, schema_version int, library_version varchar",
}

DAGSTER = {
    "runs": (
        "id bigint*, run_id varchar, snapshot_id varchar*, pipeline_name text, mode text, status varchar, "
        "?run_body text, partition text, partition_set text, create_timestamp timestamp, start_time float, "
        "backfill_id varchar"
    ),
    "run_tags": "id bigint*, run_id varchar*, key text, value text",
    "event_logs": (
        "id bigint*, run_id varchar, event text, dagster_event_type text, timestamp timestamp, step_key text, "
        "asset_key text, partition text"
    ),
    "asset_keys": (
        "id bigint*, asset_key varchar, last_materialization text, last_run_id varchar, asset_details text, "
        "wipe_timestamp timestamp, tags text, cached_status_data text"
    ),
    "asset_event_tags": "id bigint*, event_id bigint*, asset_key text, key text, value text, event_timestamp timestamp",
    "daemon_heartbeats": ("id bigint*, daemon_type varchar, daemon_id varchar, timestamp timestamp, ?body text"),
    "secondary_indexes": ("id bigint*, name varchar, create_timestamp timestamp, migration_completed timestamp"),
    "kvs": "id bigint*, key text, ?value text",
    "instance_info": "id bigint*, run_storage_id text",
    "bulk_actions": (
        "id bigint*, key varchar, status varchar, timestamp timestamp, ?body text, action_type varchar, selector_id text, job_name text"
    ),
    "concurrency_slots": "id bigint*, concurrency_key text, run_id text, step_key text, deleted bool",
    "concurrency_limits": "id bigint*, concurrency_key varchar, limit int, using_default_limit bool",
    "instigators": "id bigint*, selector_id varchar, status varchar, instigator_type varchar, ?instigator_body text",
    "job_ticks": "id bigint*, job_origin_id varchar, status varchar, type varchar, ?tick_body text",
}

ADVENTURE_WORKS = {
    "Person": (
        "BusinessEntityID int*, PersonType character, NameStyle bool, Title varchar, -FirstName varchar, "
        "-MiddleName varchar, -LastName varchar, Suffix varchar, EmailPromotion int, "
        "-AdditionalContactInfo xml, Demographics xml, rowguid uuid, ModifiedDate timestamp"
    ),
    "EmailAddress": ("BusinessEntityID int*, EmailAddressID int*, -EmailAddress varchar, rowguid uuid, ModifiedDate timestamp"),
    "Password": ("BusinessEntityID int*, -PasswordHash varchar, -PasswordSalt varchar, rowguid uuid, ModifiedDate timestamp"),
    "PersonPhone": ("BusinessEntityID int*, -PhoneNumber varchar*, PhoneNumberTypeID int*, ModifiedDate timestamp"),
    "PhoneNumberType": "PhoneNumberTypeID int*, Name varchar, ModifiedDate timestamp",
    "Address": (
        "AddressID int*, -AddressLine1 varchar, -AddressLine2 varchar, City varchar, "
        "StateProvinceID int*, PostalCode varchar, rowguid uuid, ModifiedDate timestamp"
    ),
    "AddressType": "AddressTypeID int*, Name varchar, rowguid uuid",
    "CreditCard": ("CreditCardID int*, CardType varchar, -CardNumber varchar, ExpMonth smallint, ExpYear smallint, ModifiedDate timestamp"),
    "PersonCreditCard": "BusinessEntityID int*, CreditCardID int*, ModifiedDate timestamp",
    "Employee": (
        "BusinessEntityID int*, -NationalIDNumber varchar, LoginID varchar, JobTitle varchar, "
        "-BirthDate date, MaritalStatus character, Gender character, HireDate date, SalariedFlag bool, VacationHours smallint, "
        "CurrentFlag bool, rowguid uuid"
    ),
    "SalesOrderHeader": (
        "SalesOrderID int*, RevisionNumber smallint, OrderDate timestamp, Status smallint, OnlineOrderFlag bool, "
        "PurchaseOrderNumber varchar, -?AccountNumber varchar, CustomerID int*, BillToAddressID int*, "
        "ShipToAddressID int*, ShipMethodID int*, CreditCardID int*, -?CreditCardApprovalCode varchar, "
        "SubTotal numeric, TotalDue numeric, ?Comment varchar"
    ),
    "Product": (
        "ProductID int*, Name varchar, ProductNumber varchar, Color varchar, SafetyStockLevel smallint, "
        "StandardCost numeric, ListPrice numeric, Weight numeric, SellStartDate timestamp"
    ),
    "ProductReview": (
        "ProductReviewID int*, ProductID int*, ReviewerName varchar, ReviewDate timestamp, "
        "-EmailAddress varchar, Rating int, ?Comments varchar"
    ),
    # The same without capitals, as ports to PostgreSQL have it.
    "phonenumbertype": "phonenumbertypeid int*, name varchar, modifieddate timestamp",
    "person": "businessentityid int*, -firstname varchar, -lastname varchar, emailpromotion int, rowguid uuid",
    "password": "businessentityid int*, -passwordhash varchar, -passwordsalt varchar",
    "creditcard": "creditcardid int*, cardtype varchar, -cardnumber varchar",
    "employee": "businessentityid int*, -nationalidnumber varchar, loginid varchar, -birthdate date",
}

# Names of no single schema: services, shops, and what programs log of language models.
OTHERS = {
    "users": (
        "id bigint*, username text, -?name text, -e_mail text, -email_hash text, email_verified bool, email_verified_at timestamptz, "
        "-otp_salt text, -pin int, -mobile_number bigint, -?mobile text, -ssn int, phone_id bigint*, -home_address text, -ip_address inet, "
        "last_phone_at timestamptz, has_password text, -oauth2_token text, token_expires timestamptz, "
        "token_type text, -dateofbirth text, -workemail text, -reset_code text"
    ),
    "api_keys": "id uuid*, name text, -key text, -hash bytea, prefix text, user_id uuid*, scopes text[], last_used_at timestamptz",
    "emails": "id bigint*, -address text, sent_at timestamptz, subject text, ?body text",
    "sessions": "session_id uuid*, user_id bigint*, started_at timestamptz, message_count int",
    "web_sessions": "-?sid_session_id text*, -session_data text, -csrf_token text",
    "webhooks": "webhookid bigint*, -url text, -secret text, is_active bool, token_count int",
    "llm_calls": (
        "call_id uuid*, prompt_tokens bigint, output_tokens jsonb, max_tokens text, total_token text, eos_token text, token_ids int[], "
        "tokenizer text, tokens int, -access_token text, -stripetoken text, -tokens text, num_tokens text, session_id bigint, "
        "request_id text, -apikey text, passed bool, pass_rate float, compass text, passenger text, shipping_id text, "
        "model_signature text, random_seed int, cache_key text, file_hash text, git_repo_url text"
    ),
    "data_source": "id int*, name text, type text, -url text, -password text, -secure_json_data text, access text, is_default bool",
    "mail_servers": "id int*, name text, -host text, port int, -username text, -smtp_password text, timeout int",
    "app_settings": "setting_id int*, setting_key text, -setting_value text, value_count int, ?description text, is_secret bool",
    "feature_settings": "id int*, name text, -value jsonb",
    "config_tags": "id int*, key text, value text",
    "hyperparameters": "hyperparameter_id bigint*, run_id bigint*, param_key text, param_value text, param_type text",
    "items": "item_id uuid*, key text, ?value jsonb, ?extra jsonb, microphone text, turnkey text, birth_weight float, births int",
}

SCHEMAS = {
    "Airflow": AIRFLOW,
    "MLflow": MLFLOW,
    "Optuna": OPTUNA,
    "Dagster": DAGSTER,
    "AdventureWorks": ADVENTURE_WORKS,
    "others": OTHERS,
}
