"""The coding client schema: what the revisions leave behind, held against the design, and tried."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psycopg2
import pytest

from dagster_project.resources.embedded import EmbeddedServer
from migrations.run import downgrade, upgrade
from tests.integration.migrations.catalog import COLUMNS
from tests.integration.migrations.conftest import Database, Scratch

ONE_ROW_EACH = Path(__file__).with_name("coding_client.sql").read_text(encoding="utf-8")
PARTITIONED = ("notification_history", "file_operations", "system_logs")

# Columns of the design, in its order: name, type, and "!" for NOT NULL. `created_at` of the three partitioned tables is part of their keys.
DESIGN = {
    "users": """
        id integer!; username varchar(50)!; email varchar(100); hashed_password varchar(255)!; is_active boolean; is_admin boolean;
        preferences jsonb; resource_quota jsonb; last_login timestamptz; login_count integer; created_at timestamptz; updated_at
        timestamptz
    """,
    "auth_tokens": """
        id integer!; token_id varchar(36)!; user_id integer!; token_type varchar(20); expires_at timestamptz!; is_active boolean;
        ip_address inet; user_agent text; last_used timestamptz; created_at timestamptz
    """,
    "sessions": """
        id integer!; session_id varchar(36)!; name varchar(100)!; description text; status varchar(20); working_directory
        varchar(500); container_id varchar(64); port_mapping jsonb; context_data jsonb; claude_session_id varchar(64);
        total_tokens_used integer; resource_limits jsonb; user_id integer!; project_id integer; worktree_id varchar(36); created_at
        timestamptz; updated_at timestamptz; last_accessed timestamptz
    """,
    "collaboration_sessions": """
        id integer!; session_id varchar(36)!; host_user_id integer!; share_mode varchar(20); max_participants integer;
        requires_approval boolean; is_public boolean; access_token varchar(64); expires_at timestamptz; allowed_users jsonb;
        current_participants integer; total_joins integer; created_at timestamptz; updated_at timestamptz
    """,
    "projects": """
        id integer!; project_id varchar(36)!; name varchar(100)!; description text; project_type varchar(50); repository_url
        varchar(500); local_path varchar(500); default_branch varchar(100); tech_stack jsonb; build_config jsonb; deploy_config
        jsonb; environment_vars jsonb; owner_id integer!; is_public boolean; collaborators jsonb; total_sessions integer;
        total_commits integer; total_worktrees integer; last_activity timestamptz; created_at timestamptz; updated_at timestamptz
    """,
    "worktrees": """
        id integer!; worktree_id varchar(36)!; repository_path varchar(500)!; worktree_path varchar(500)!; branch_name
        varchar(100)!; commit_hash varchar(40); remote_url varchar(500); status varchar(20); sync_status varchar(20); last_sync
        timestamptz; file_count integer; total_size_bytes bigint; uncommitted_changes boolean; untracked_files integer; user_id
        integer!; project_id integer; created_at timestamptz; updated_at timestamptz; last_accessed timestamptz
    """,
    "worktree_sync_history": """
        id integer!; source_worktree_id varchar(36)!; target_worktree_id varchar(36); sync_type varchar(20)!; sync_direction
        varchar(10); status varchar(20)!; files_changed integer; lines_added integer; lines_deleted integer; conflicts_count
        integer; commit_hash varchar(40); error_message text; error_code varchar(20); executed_by integer; execution_time_ms
        integer; created_at timestamptz
    """,
    "notification_settings": """
        id integer!; user_id integer!; notification_type varchar(50)!; service_type varchar(20)!; is_enabled boolean;
        push_subscription jsonb; push_endpoint varchar(500); webhook_url varchar(500); webhook_secret varchar(100); webhook_headers
        jsonb; service_config jsonb; filter_rules jsonb; created_at timestamptz; updated_at timestamptz
    """,
    "notification_history": """
        id integer!; user_id integer!; session_id varchar(36); notification_type varchar(50)!; service_type varchar(20)!; title
        varchar(200)!; message text!; payload jsonb; priority varchar(10); status varchar(20); retry_count integer; max_retries
        integer; response_code integer; response_body text; error_message text; scheduled_at timestamptz; sent_at timestamptz;
        created_at timestamptz!
    """,
    "file_operations": """
        id integer!; session_id varchar(36)!; user_id integer!; operation_type varchar(20)!; file_path varchar(1000)!; old_file_path
        varchar(1000); content_hash varchar(64); file_size_bytes bigint; mime_type varchar(100); encoding varchar(20); is_binary
        boolean; language varchar(50); line_count integer; execution_time_ms integer; success boolean; error_message text;
        created_at timestamptz!
    """,
    "system_logs": """
        id integer!; level varchar(10)!; category varchar(50)!; module varchar(50)!; user_id integer; session_id varchar(36);
        message text!; details jsonb; request_id varchar(36); ip_address inet; user_agent text; created_at timestamptz!
    """,
    "system_settings": """
        id integer!; setting_key varchar(100)!; setting_value jsonb!; data_type varchar(20); category varchar(50); description text;
        is_public boolean; is_readonly boolean; version integer; previous_value jsonb; updated_by integer; created_at timestamptz;
        updated_at timestamptz
    """,
}


# Indexes that the design names; of those with NOW() and `japanese`, in the form that PostgreSQL accepts.
DESIGNED_INDEXES = """
    idx_sessions_user_id idx_sessions_project_id idx_worktrees_user_id idx_worktrees_project_id idx_auth_tokens_user_id
    idx_notification_settings_user_id idx_notification_history_user_id idx_file_operations_session_id idx_file_operations_user_id
    idx_system_logs_user_id idx_sessions_user_status idx_sessions_status_updated idx_sessions_user_last_accessed
    idx_worktrees_user_repository idx_worktrees_status_accessed idx_worktree_sync_source_created idx_notification_history_user_status
    idx_notification_history_status_scheduled idx_notification_settings_user_enabled idx_projects_owner_activity
    idx_projects_public_activity idx_system_logs_level_created idx_system_logs_module_created idx_file_operations_user_created
    idx_file_operations_session_type idx_auth_tokens_user_active idx_auth_tokens_expires idx_sessions_active idx_worktrees_active
    idx_auth_tokens_valid idx_sessions_error idx_notification_failed idx_projects_search idx_system_logs_message_search
    idx_file_operations_path_search uk_users_email uk_sessions_container uk_worktree_path uk_user_notification_service
"""

PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass"
MONTHS = [f"{year}_{month:02}" for year in (2025, 2026) for month in range(1, 13)]
REFERENCES = """
select format('%s.%s %s.%s %s', conrelid::regclass, child.attname, confrelid::regclass, parent.attname,
    case confdeltype when 'c' then 'CASCADE' when 'n' then 'SET NULL' else confdeltype::text end)
from pg_constraint
join pg_attribute as child on child.attrelid = conrelid and child.attnum = conkey[1]
join pg_attribute as parent on parent.attrelid = confrelid and parent.attnum = confkey[1]
where contype = 'f' and conparentid = 0 and cardinality(conkey) = 1
"""

# Foreign keys of the design: column, what it refers to, and what a delete does; of executed_by and updated_by the design says nothing.
FOREIGN_KEYS = """
    auth_tokens.user_id users.id CASCADE
    collaboration_sessions.host_user_id users.id CASCADE
    collaboration_sessions.session_id sessions.session_id CASCADE
    file_operations.session_id sessions.session_id CASCADE
    file_operations.user_id users.id CASCADE
    notification_history.session_id sessions.session_id SET NULL
    notification_history.user_id users.id CASCADE
    notification_settings.user_id users.id CASCADE
    projects.owner_id users.id CASCADE
    sessions.project_id projects.id SET NULL
    sessions.user_id users.id CASCADE
    sessions.worktree_id worktrees.worktree_id SET NULL
    system_logs.session_id sessions.session_id SET NULL
    system_logs.user_id users.id SET NULL
    system_settings.updated_by users.id SET NULL
    worktree_sync_history.executed_by users.id SET NULL
    worktree_sync_history.source_worktree_id worktrees.worktree_id CASCADE
    worktree_sync_history.target_worktree_id worktrees.worktree_id SET NULL
    worktrees.project_id projects.id SET NULL
    worktrees.user_id users.id CASCADE
"""

NEW_SESSION = "insert into sessions (session_id, name, user_id, project_id) values (%s, 'n', 1, %s)"
NEW_WORKTREE = (
    "insert into worktrees (worktree_id, repository_path, worktree_path, branch_name, user_id, project_id)"
    " values (%s, '/r', '/w/' || %s, 'main', 1, %s)"
)
STATISTICS = "select total_sessions, total_worktrees from projects where id = %s"

BAD_VALUES = [
    ("chk_username_length", "update users set username = 'ad'"),
    ("chk_username_alphanumeric", "update users set username = 'ada lovelace'"),
    ("chk_email_format", "update users set email = 'ada'"),
    ("users_username_key", "insert into users (username, hashed_password) values ('ada', '!')"),
    ("uk_users_email", "insert into users (username, email, hashed_password) values ('bob', 'ada@example.org', '!')"),
    ("chk_token_type", "update auth_tokens set token_type = 'session'"),
    ("chk_project_type", "update projects set project_type = 'game'"),
    ("chk_worktree_status", "update worktrees set status = 'lost'"),
    ("chk_sync_status", "update worktrees set sync_status = 'success'"),
    ("chk_paths_different", "update worktrees set worktree_path = repository_path"),
    (
        "uk_worktree_path",
        "insert into worktrees (worktree_id, repository_path, worktree_path, branch_name, user_id)"
        " values ('w-2', '/other', '/worktrees/engine', 'main', 1)",
    ),
    ("chk_sync_type", "update worktree_sync_history set sync_type = 'copy'"),
    ("chk_sync_direction", "update worktree_sync_history set sync_direction = 'up'"),
    ("chk_sync_status", "update worktree_sync_history set status = 'clean'"),
    ("chk_session_status", "update sessions set status = 'paused'"),
    ("chk_resource_limits_valid", "update sessions set resource_limits = '[]'"),
    ("uk_sessions_container", "insert into sessions (session_id, name, container_id, user_id) values ('s-2', 'n', 'c-1', 1)"),
    ("chk_share_mode", "update collaboration_sessions set share_mode = 'write'"),
    ("chk_max_participants", "update collaboration_sessions set max_participants = 21"),
    ("chk_max_participants", "update collaboration_sessions set max_participants = 0"),
    ("chk_notification_type", "update notification_settings set notification_type = 'news'"),
    ("chk_service_type", "update notification_settings set service_type = 'telegram'"),
    (
        "uk_user_notification_service",
        "insert into notification_settings (user_id, notification_type, service_type) values (1, 'task_completed', 'webhook')",
    ),
    ("chk_notification_history_type", "update notification_history set notification_type = 'news'"),
    ("chk_notification_history_service", "update notification_history set service_type = 'telegram'"),
    ("chk_notification_status", "update notification_history set status = 'lost'"),
    ("chk_priority", "update notification_history set priority = 'top'"),
    ("chk_retry_count_limit", "update notification_history set retry_count = 4"),
    ("chk_operation_type", "update file_operations set operation_type = 'touch'"),
    ("chk_log_level", "update system_logs set level = 'WARNING'"),
    ("chk_data_type", "update system_settings set data_type = 'date'"),
    ("sessions_worktree_id_fkey", "update sessions set worktree_id = 'nowhere'"),
    ("worktree_sync_history_executed_by_fkey", "update worktree_sync_history set executed_by = 7"),
]


class Tried(Scratch):
    """A migrated coding client database whose every change is undone between tests."""

    def begin(self) -> None:
        for (sequence,) in self.rows("select oid::regclass::text from pg_class where relkind = 'S'"):
            self.rows(f"alter sequence {sequence} restart")


@pytest.fixture(scope="module")
def scratch(server: EmbeddedServer, template_database: Callable[[str], str]) -> Iterator[Tried]:
    postgres = Database(server.url("postgres"))
    postgres.rows(f"create database coding_client_scratch template {template_database('coding_client')}")
    postgres.close()
    scratch = Tried(server.url("coding_client_scratch"))
    yield scratch
    scratch.close()


@pytest.fixture
def filled(scratch: Tried) -> Iterator[Database]:
    """One row in every table, in one transaction."""
    scratch.begin()
    scratch.rows(ONE_ROW_EACH)
    yield scratch
    scratch.undo()


@pytest.fixture
def own(new_database: Callable[[str], str]) -> Iterator[Database]:
    """A database of the test's own with one row in every table."""
    database = Database(new_database("coding_client"))
    database.rows(ONE_ROW_EACH)
    yield database
    database.close()


@pytest.mark.parametrize("table", DESIGN)
def test_table_has_the_columns_of_the_design(filled: Database, table: str) -> None:
    columns = [str(column) for (column,) in filled.rows(COLUMNS, table)]
    assert columns == [column.strip() for column in " ".join(DESIGN[table].split()).split(";")]


def test_indexes_of_the_design_are_there(filled: Database) -> None:
    indexes = {str(name) for (name,) in filled.rows("select indexname from pg_indexes where schemaname = 'public'")}
    assert set(DESIGNED_INDEXES.split()) <= indexes


def test_foreign_keys_are_those_of_the_design(filled: Database) -> None:
    assert sorted(str(reference) for (reference,) in filled.rows(REFERENCES)) == [
        line.strip() for line in FOREIGN_KEYS.strip().splitlines()
    ]


@pytest.mark.parametrize(("constraint", "statement"), BAD_VALUES)
def test_bad_value_is_rejected(filled: Database, constraint: str, statement: str) -> None:
    with pytest.raises(psycopg2.IntegrityError) as raised:
        filled.rows(statement)
    assert raised.value.diag.constraint_name == constraint


def test_every_check_has_a_bad_value(filled: Database) -> None:
    checks = filled.rows("select distinct conname from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace")
    assert len(checks) > 20
    assert {name for (name,) in checks} <= {constraint for constraint, _ in BAD_VALUES}


def test_users_without_an_address_and_sessions_without_a_container_stand_side_by_side(filled: Database) -> None:
    filled.rows("insert into users (username, hashed_password) values ('bob', '!'), ('eve', '!')")
    filled.rows(NEW_SESSION, "s-2", None)
    filled.rows(NEW_SESSION, "s-3", None)
    assert filled.value("select count(*) from users where email is null") == 2
    assert filled.value("select count(*) from sessions where container_id is null") == 2


def test_an_update_touches_unless_it_changes_nothing_or_says_a_time_itself(filled: Database) -> None:
    tables = [table for table, columns in DESIGN.items() if "updated_at" in columns]
    assert len(tables) == 7
    for table in tables:
        filled.rows(f"update {table} set updated_at = '2020-01-01 00:00:00+00'")
        filled.rows(f"update {table} set created_at = created_at")
        assert filled.value(f"select extract(year from updated_at)::integer from {table}") == 2020
        filled.rows(f"update {table} set created_at = '2019-01-01 00:00:00+00'")
        assert filled.value(f"select updated_at = now() from {table}") is True


@pytest.mark.parametrize(("table", "position"), [("sessions", 0), ("worktrees", 1)])
def test_statistics_of_projects_hold_under_every_change(filled: Database, table: str, position: int) -> None:
    filled.rows("insert into projects (project_id, name, owner_id) values ('p-2', 'difference engine', 1)")

    def counts() -> list[object]:
        return [filled.rows(STATISTICS, project)[0][position] for project in (1, 2)]

    def add(key: str, project: int | None) -> None:
        filled.rows(*((NEW_SESSION, key, project) if table == "sessions" else (NEW_WORKTREE, key, key, project)))

    key = f"{table.removesuffix('s')}_id"
    add("x", 1)
    add("y", None)
    assert counts() == [2, 0]
    filled.rows("update projects set last_activity = null")
    filled.rows(f"update {table} set project_id = 2 where {key} = 'x'")
    assert counts() == [1, 1]
    assert filled.value("select bool_and(last_activity = now()) from projects") is True
    filled.rows(f"update {table} set project_id = 2 where {key} = 'y'")
    assert counts() == [1, 2]
    filled.rows(f"update {table} set project_id = null where {key} = 'y'")
    filled.rows(f"delete from {table} where {key} = 'x'")
    assert counts() == [1, 0]
    filled.rows(f"delete from {table}")
    assert counts() == [0, 0]


def test_a_project_may_be_deleted_with_its_sessions_in_place(filled: Database) -> None:
    filled.rows("delete from projects")
    assert filled.rows("select project_id, worktree_id from sessions") == [(None, "w-1")]
    filled.rows("delete from worktrees")
    assert filled.rows("select project_id, worktree_id from sessions") == [(None, None)]


def test_what_a_user_has_goes_with_the_user_and_log_lines_stay(filled: Database) -> None:
    filled.rows("delete from users")
    left = {table for table in DESIGN if filled.value(f"select count(*) from {table}")}
    assert left == {"system_logs", "system_settings"}
    assert filled.rows("select user_id, session_id, updated_by from system_logs cross join system_settings") == [(None, None, None)]


def test_two_who_add_sessions_at_once_are_both_counted(own: Database, connect: Callable[[str], Database]) -> None:
    second, watcher = connect(own.url), connect(own.url)
    own.rows("begin")
    own.rows(NEW_SESSION, "s-2", 1)
    other = Thread(target=second.rows, args=(NEW_SESSION, "s-3", 1))
    other.start()
    while not watcher.value("select count(*) from pg_locks where not granted"):
        assert other.is_alive()
    own.rows("commit")
    other.join()
    assert watcher.rows(STATISTICS, 1) == [(3, 1)]


def test_rows_lie_in_the_partition_of_their_month_in_utc(filled: Database) -> None:
    filled.rows("set local time zone 'Asia/Tokyo'")
    places = {table: filled.value(f"select tableoid::regclass::text from {table}") for table in PARTITIONED}
    assert places == {
        "notification_history": "notification_history_2025_01",
        "file_operations": "file_operations_2025_02",
        "system_logs": "system_logs_default",
    }
    for table in PARTITIONED:
        names = {name for (name,) in filled.rows(PARTITIONS, table)}
        assert names == {f"{table}_{suffix}" for suffix in (*MONTHS, "default")}
        vacuumed = filled.rows(f"{PARTITIONS} and (select reloptions::text ~ 'vacuum.*analyze' from pg_class where oid = inhrelid)", table)
        assert {name for (name,) in vacuumed} == names


def test_partitions_meet_without_a_gap(filled: Database) -> None:
    for table in PARTITIONED:
        bounds = filled.rows(
            "select substring(bound from 'FROM \\(''([^'']+)')::timestamptz, substring(bound from 'TO \\(''([^'']+)')::timestamptz"
            " from (select pg_get_expr(relpartbound, oid) as bound from pg_class where oid in"
            " (select inhrelid from pg_inherits where inhparent = %s::regclass)) as partitions where bound <> 'DEFAULT' order by 1",
            table,
        )
        assert [end for _, end in bounds[:-1]] == [start for start, _ in bounds[1:]]


@pytest.mark.parametrize("table", DESIGN)
def test_the_reader_reads_every_table_and_changes_none(filled: Database, table: str) -> None:
    assert filled.value(f"select count(*) from {table}", role="coding_client_reader") == 1
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        filled.rows(f"delete from {table}", role="coding_client_reader")


def test_the_application_works_and_cannot_rewrite_its_audit(filled: Database) -> None:
    app = "coding_client_app"
    filled.rows(NEW_SESSION, "s-2", 1, role=app)
    assert filled.rows(STATISTICS, 1, role=app) == [(2, 1)]
    filled.rows("insert into file_operations (session_id, user_id, operation_type, file_path) values ('s-2', 1, 'read', 'f')", role=app)
    filled.rows("update notification_history set status = 'sent'", role=app)
    for statement in ("update file_operations set success = false", "delete from system_logs", "truncate sessions cascade"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            filled.rows(statement, role=app)
    # What hangs on a session goes with it all the same.
    filled.rows("delete from sessions where session_id = 's-2'", role=app)
    assert filled.value("select count(*) from file_operations") == 1


def test_an_admin_may_change_everything(filled: Database) -> None:
    filled.rows("update file_operations set success = false", role="coding_client_admin")
    filled.rows("create table archive.old (id bigint)", role="coding_client_admin")


def test_roles_have_no_powers_over_the_cluster_and_stay_while_they_are_used(
    old_server: EmbeddedServer, connect: Callable[[str], Database]
) -> None:
    roles = "select rolname from pg_roles where rolname ~ '^coding_client_' order by 1"
    urls = []
    for name in ("coding_client_one", "coding_client_two"):
        old_server.ensure_database(name)
        urls.append(old_server.url(name))
        upgrade("coding_client", urls[-1])
    database = connect(old_server.url("postgres"))
    names = [("coding_client_admin",), ("coding_client_app",), ("coding_client_reader",)]
    powers = "select bool_or(rolsuper or rolcreaterole or rolcreatedb or rolcanlogin or rolbypassrls or rolpassword is not null)"
    assert database.value(f"{powers} from pg_authid where rolname ~ '^coding_client_'") is False
    downgrade("coding_client", urls[0], "0004")
    assert database.rows(roles) == names
    downgrade("coding_client", urls[1], "0004")
    assert database.rows(roles) == []
