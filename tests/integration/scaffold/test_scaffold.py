"""A system drafted from a live database works at once: nothing of it was edited by hand."""

from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from dagster_project.quality.suites import Severity, load_suites
from dagster_project.quality.validation import Project as Checked
from dagster_project.quality.validation import Validation, validate
from dagster_project.scaffold.catalog import read_catalog, reading
from dagster_project.scaffold.drafting import ScaffoldError, draft
from dagster_project.scaffold.files import texts, write
from dagster_project.scaffold.raw_types import raw_types
from dagster_project.settings import PROJECT_ROOT
from tests.databases import create_login, run
from tests.integration.scaffold.conftest import Project, environment_of

SCHEMAS = ["public", "crm"]

KEYS = {
    "api_clients": ("name",),
    "crm_orders": ("id",),
    "customers": ("id",),
    "events": ("event_id", "happened_at"),
    "invoices": ("Id",),
    "logins": ("id",),
    "order_item": ("A", "B"),
    "order_lines": ("order_no", "line_no"),
    "orders": ("order_no",),
    "prisma_migrations": ("id",),
    "readings": (),
    "select": ("id",),
    "shipments": ("depot", "number"),
    "trucks": (),
}
COLUMNS = {
    "api_clients": "name",
    "customers": "id|Shown As|prompt_tokens|home|is_active",
    "orders": "order_no|customerId|replaced_by|status|statuses|total|net|order|user|batch_id|details|tags|paid_at|period|2nd|total_twice",
    "order_lines": "order_no|line_no|amount",
    "select": "id",
}
SOURCE_NAMES = {"crm_orders": "orders", "invoices": "Invoices", "order_item": "OrderItem", "prisma_migrations": "_prisma_migrations"}
FOREIGN_KEYS = {
    "events": {"invoice_id": "invoices.Id"},
    "order_item": {"B": "invoices.Id", "crmOrder": "crm_orders.id"},
    "order_lines": {"order_no": "orders.order_no"},
    "orders": {"customerId": "customers.id", "replaced_by": "orders.order_no"},
}
LEFT_OUT = {
    "50% off": "character",
    "注文": "letters a to z",
    "open_orders": "a view",
    "order_counts": "a materialized view",
    "sessions": "session_id, it may open a session",
    "vehicles": "inherit",
    "api_clients.client_secret": "secret",
    "customers.email": "personal",
    "customers.password_hash": "secret",
    "customers.born_at": "date of birth",
    "customers.pin_code": "it may be a PIN, or a postal code; to read it, add pin_code to tables.customers.columns",
    "logins.opened_in: foreign key": "public.sessions.session_id, which it refers to, is not read",
    "order_lines.API Key": "secret",
    "orders.Discount %": "character",
    "readings: key": "read whole",
    "trucks: key": "read whole",
    "select._batch_id": "already",
}
IN_DOUBT = {"events.note": "free text, in which anything may stand; to leave it out, remove note from tables.events.columns"}

# What is done to raw, and the one check that must say so.
CORRUPTIONS = {
    "orders__customer_id_has_parent": """update raw_shop.orders set "customerId" = gen_random_uuid() where order_no = 'O7'""",
    "orders__replaced_by_has_parent": "update raw_shop.orders set replaced_by = 'nowhere' where order_no = 'O8'",
    "order_lines__order_no_has_parent": "update raw_shop.order_lines set order_no = 'nowhere' where order_no = 'O9'",
    # The order is there and the line is there, but not together.
    "shipments__order_no_line_no_has_parent": "update raw_shop.shipments set line_no = 3 where order_no = 'O7'",
    "shipments__key_is_unique": "alter table raw_shop.shipments drop constraint shipments_pkey; "
    "update raw_shop.shipments set depot = 0, number = 0 where number < 3",
    "events__required_values_are_present": "alter table raw_shop.events drop constraint events_pkey, alter happened_at drop not null; "
    "update raw_shop.events set happened_at = null where event_id = 3",
    "customers__columns_are_as_declared": "alter table raw_shop.customers add column surprise text",
    "readings__row_count_equals_source": "delete from raw_shop.readings where sensor = 1",
    "trucks__synced_within_24_hours": "delete from ops.table_syncs where table_name = 'trucks'",
    "api_clients__row_count_did_not_collapse": "update ops.table_syncs set source_rows = 100 "
    "where table_name = 'api_clients' and batch_id = (select min(batch_id) from ops.batches)",
}
ALSO_FAILS = {"trucks__synced_within_24_hours": {"trucks__synced_within_2_hours"}}


def validations(project: Project, warehouse_url: str, tables: Collection[str] = KEYS) -> list[Validation]:
    suites = load_suites(project.root / "expectations").values()
    known = Checked({"shop": project.contract()})
    return [validate(warehouse_url, suite, known, everything=True) for suite in suites if suite.system == "shop" and suite.table in tables]


def failed(validations: list[Validation]) -> set[str]:
    return {
        f"{validation.suite.partition('.')[2]}__{result.check_name}"
        for validation in validations
        for result in validation.results
        if not result.is_success
    }


def test_contract_says_what_the_database_is(project: Project) -> None:
    contract = project.contract()
    assert {name: table.key for name, table in contract.tables.items()} == KEYS
    assert {name: "|".join(contract.tables[name].columns) for name in COLUMNS} == COLUMNS
    assert {name: table.foreign_keys for name, table in contract.tables.items() if table.foreign_keys} == FOREIGN_KEYS
    (pair,) = contract.tables["shipments"].references
    assert (pair.columns, pair.parent, pair.parent_columns) == (("order_no", "line_no"), "order_lines", ("order_no", "line_no"))
    assert {name for name, table in contract.tables.items() if table.without_key == "replace"} == {"readings", "trucks"}
    places = {table.name: table.source.strings for table in contract.bound_tables()}
    assert {name: source_name for name, (_, source_name) in places.items() if source_name != name} == SOURCE_NAMES
    assert {name for name, (schema, _) in places.items() if schema != "public"} == {"customers", "crm_orders"}
    assert {schema for schema, _ in places.values()} == {"public", "crm"}
    description = contract.tables["customers"].description
    assert description == "People who bought something, on two lines: with a colon, and { { braces }}."


def test_everything_left_out_is_told_with_its_reason(project: Project) -> None:
    file = (project.root / "dagster_project" / "defs" / "sources" / "shop" / "defs.yaml").read_text(encoding="utf-8")
    told = {name: reason for name, _, reason in (line[4:].partition(" (") for line in file.splitlines() if line.startswith("# - "))}
    assert told.keys() == LEFT_OUT.keys() | IN_DOUBT.keys()
    assert file.index("# Left out:") < file.index("# Read in doubt:") < file.index("# - events.note")
    for name, words in (LEFT_OUT | IN_DOUBT).items():
        assert words in told[name]
        assert any(line.strip().startswith(name) and words in line for line in project.said.splitlines()), name


def test_terminal_names_what_was_written_and_the_next_commands(project: Project) -> None:
    lines = [line.strip() for line in project.said.splitlines()]
    assert lines[-5:-3] == ["next", f"export RUNMART_SOURCE_SHOP_URL='{project.source_url}'"]
    assert [line.partition("  ")[0] for line in lines[-3:]] == ["runmart sync shop", "runmart status", "runmart refresh"]
    for folder in ("dagster_project/defs/sources/shop/", "dbt_project/models/staging/shop/", "expectations/shop/"):
        assert any(line.startswith(folder) for line in lines)
        assert list((project.root / folder).iterdir())


def test_contract_tests_pass_unedited(project: Project, built: str) -> None:
    arguments = ("-m", "pytest", "-vv", "tests/contract", "-p", "no:cacheprovider", "--basetemp", str(project.root / ".pytest"))
    # What the build has parsed need not be parsed again.
    parsed = {"DBT_PARTIAL_PARSE_FILE_PATH": str(project.root / "dbt_project" / "target" / "partial_parse.msgpack")}
    done = project.python(*arguments, **parsed, **environment_of(built))
    assert done.returncode == 0, done.stdout[-3000:]
    assert "test_contract_sources_and_staging_agree[shop] PASSED" in done.stdout
    assert "test_suite_follows_the_contract[shop.orders] PASSED" in done.stdout


def test_drafted_system_is_built_and_checked(project: Project, built: str) -> None:
    assert run(built, "select distinct rows_inserted, rows_updated, rows_deleted from ops.table_syncs where batch_id = 2") == [(0, 0, 0)]
    staged = run(built, "select order_no, user_, order_, source_batch_id, status from staging.stg_shop__orders order by order_")
    assert staged == run(project.source_url, """select order_no, "user", "order", batch_id, status::text from orders order by "order" """)
    contract = project.contract()
    for table in contract.bound_tables():
        schema, name = table.source.strings
        rows = run(project.source_url, f'select count(*) from {schema}."{name}"')
        assert run(built, f"select count(*) from staging.stg_shop__{table.name}") == rows, table.name

    clean = validations(project, built)
    assert failed(clean) == set()
    assert {result.error for validation in clean for result in validation.results} == {None}
    run(built, "; ".join(CORRUPTIONS.values()))
    broken = validations(project, built, {check.partition("__")[0] for check in CORRUPTIONS})
    assert failed(broken) == set(CORRUPTIONS).union(*ALSO_FAILS.values())
    warnings = {result.check_name for validation in broken for result in validation.results if result.severity is Severity.WARNING}
    assert {name for name in warnings if "parent" in name} == {"order_no_has_parent"}


def test_a_system_that_is_there_is_refused_and_nothing_is_touched(project: Project) -> None:
    before = project.files()
    done = project.scaffold("--system", "shop")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: dagster_project/defs/sources/shop/defs.yaml exists, and nothing is overwritten")
    assert project.files() == before


def test_a_system_without_a_url_says_which_variable_it_needs(project: Project) -> None:
    done = project.runmart("url", "shop")
    assert (done.returncode, done.stderr) == (
        1,
        "error: there is no URL for the database of shop: set RUNMART_SOURCE_SHOP_URL=postgresql://user@host/database\n",
    )
    done = project.runmart("migrate", "shop")
    assert (done.returncode, done.stderr) == (
        1,
        "error: shop has no migrations: its database is its owner's to change, Runmart only reads it\n",
    )


@pytest.mark.parametrize("there", ["dbt_project/models/staging/store/notes.md", "expectations/store/orders.json"])
def test_a_part_of_a_system_is_refused_too(shop_url: str, tmp_path: Path, there: str) -> None:
    files = drafted(shop_url, "store", SCHEMAS)
    (tmp_path / there).parent.mkdir(parents=True)
    (tmp_path / there).write_text("mine", encoding="utf-8")
    with pytest.raises(ScaffoldError, match=f"^{there} exists"):
        write("store", files, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / there]


def test_a_failure_halfway_leaves_nothing(shop_url: str, tmp_path: Path) -> None:
    for folder in ("dagster_project/defs/sources", "dbt_project/models/staging"):
        (tmp_path / folder).mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(FileNotFoundError):
        write("store", drafted(shop_url, "store", SCHEMAS), tmp_path)
    assert set(tmp_path.rglob("*")) == before


def drafted(url: str, system: str, schemas: list[str], **chosen: list[str]) -> dict[Path, str]:
    with reading(url) as cursor, closing(psycopg2.connect(url)) as warehouse, warehouse.cursor() as asking:
        made = draft(system, read_catalog(cursor, schemas), schemas, **chosen)
        return texts(made, raw_types(cursor, asking, made))


def tables(files: dict[Path, str]) -> set[str]:
    return {path.stem for path in files if path.suffix == ".json"}


def test_include_and_exclude_choose_tables(shop_url: str) -> None:
    assert tables(drafted(shop_url, "store", SCHEMAS, include=["Invoices", "crm.orders"])) == {"invoices", "crm_orders"}
    assert tables(drafted(shop_url, "store", SCHEMAS, exclude=["public.orders", "OrderItem"])) == KEYS.keys() - {"orders", "order_item"}
    assert tables(drafted(shop_url, "store", ["crm", "public"], include=["orders"])) == {"orders", "public_orders"}


@pytest.mark.parametrize(
    ("system", "schemas", "chosen", "words"),
    [
        ("Shop", ["public"], {}, "'Shop' cannot be the name of a system: it must begin with a lower-case letter"),
        ("warehouse", ["public"], {}, "'warehouse' cannot be the name of a system: Runmart uses it itself"),
        ("store", ["nowhere"], {}, "there is no schema 'nowhere' to read in this database; there are: crm, public"),
        ("store", ["crm"], {"include": ["events"]}, "there is no table 'events'; there are: customers, orders"),
        (
            "store",
            ["public"],
            {"include": ["open_orders"]},
            "there is no table to read in schema public\n  open_orders: a view, not a table",
        ),
    ],
)
def test_what_cannot_be_drafted_is_told_in_one_line(
    shop_url: str, system: str, schemas: list[str], chosen: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(Exception, match="^" + words.replace("(", r"\(")):
        drafted(shop_url, system, schemas, **chosen)


def test_a_role_sees_only_what_it_may_read(shop_url: str) -> None:
    create_login(shop_url, "shop_reader")
    run(shop_url, "grant select on orders, order_lines to shop_reader")
    url = shop_url.replace("postgres@", "shop_reader@")
    with reading(url) as cursor, closing(psycopg2.connect(shop_url)) as warehouse, warehouse.cursor() as asking:
        made = draft("store", read_catalog(cursor, SCHEMAS), SCHEMAS)
        assert raw_types(cursor, asking, made).of["order_lines"] == {"order_no": "text", "line_no": "smallint", "amount": "integer"}
    assert set(made.contract.tables) == {"orders", "order_lines"}
    reasons = {each.name: each.reason for each in made.left_out}
    assert (
        reasons["crm.customers"] == reasons["events"] == "this role may not read it: grant it SELECT on the table and USAGE on its schema"
    )
    assert "crm.customers.id, which it refers to, is not read" in reasons["orders.customerId: foreign key"]


def test_too_long_names_are_left_out(new_database: Callable[[str], str]) -> None:
    url, just, long = new_database("empty"), "t" * 52, "T" * 53
    run(url, f'create table {just} (id integer primary key); create table "{long}" (id integer primary key)')
    with reading(url) as cursor:
        made = draft("store", read_catalog(cursor, ["public"]), ["public"])
    assert list(made.contract.tables) == [just]
    (left_out,) = made.left_out
    assert (left_out.name, left_out.reason.partition(";")[0]) == (long, f"stg_store__{long.lower()} would be longer than 63 characters")


def test_secrets_of_the_catalog_are_told_by_their_types_too(new_database: Callable[[str], str]) -> None:
    url = new_database("empty")
    run(url, (PROJECT_ROOT / "tests" / "cases" / "secret_names.sql").read_text(encoding="utf-8"))
    run(
        url,
        "create domain amount as integer; create domain tokens_spent as amount; create domain phrase as text;"
        "create table domains (id integer primary key, token tokens_spent, password phrase, emails text[], hops_token integer[])",
    )
    with reading(url) as cursor:
        made = draft("store", read_catalog(cursor, ["public"]), ["public"])
    assert {name: table.columns for name, table in made.contract.tables.items()} == {
        "connection": ("id", "conn_id"),
        "copied_though_secret": ("id",),
        "domains": ("id", "token", "hops_token"),
        "dropped_though_harmless": (
            *("id", "tokens_used", "tokenizer", "cache_creation_input_tokens_above_1hr", "phone_model", "secretary", "birth_rate"),
            "email_promotion",
        ),
        "phone_type": ("phonetypeid", "name"),
        "variable": ("id", "key", "is_encrypted"),
        "webhook_runs": ("webhook_id", "ok"),
    }
    reasons = {each.name: each.reason for each in made.left_out}
    assert reasons["variable.val"] == "a value of a store of settings"
    assert reasons["connection.login"] == "how to reach another system"
    assert reasons["dropped_though_harmless.pin_code"].endswith("to read it, add pin_code to tables.dropped_though_harmless.columns")


def test_the_best_key_is_chosen(new_database: Callable[[str], str]) -> None:
    url = new_database("empty")
    run(
        url,
        "create table nullable (a integer unique, b integer not null, c integer not null, unique (b, c));"
        "create table partial (a integer not null);"
        "create unique index on partial (a) where a > 0;"
        "create table computed (a text not null);"
        "create unique index on computed (lower(a));"
        "create table deferred (a integer not null unique deferrable);"
        "create table including (a integer not null, b integer not null);"
        "create unique index on including (a) include (b);"
        "create table primary_first (a integer unique not null, b integer, c integer, primary key (b, c))",
    )
    with reading(url) as cursor:
        made = draft("store", read_catalog(cursor, ["public"]), ["public"])
    assert {name: table.key for name, table in made.contract.tables.items()} == {
        "nullable": ("b", "c"),
        "partial": (),
        "computed": (),
        "deferred": (),
        "including": ("a",),
        "primary_first": ("b", "c"),
    }
