"""Settings: what the environment may say, and one line for what it may not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from dagster_project.contracts.loading import load_contracts
from dagster_project.settings import PROJECT_ROOT, AnalystLimits, ConfigurationError, Settings


def test_nothing_set_is_the_embedded_default() -> None:
    assert Settings.from_environment({}) == Settings(home=PROJECT_ROOT / ".runmart")


def test_empty_variables_count_as_unset() -> None:
    names = (
        *(
            "RUNMART_HOME",
            "RUNMART_WAREHOUSE_URL",
            "RUNMART_DAGSTER_URL",
            "RUNMART_STORAGE_URL",
            "RUNMART_ALERT_URLS",
            "RUNMART_HISTORY_DAYS",
            "RUNMART_KEPT_RUNS",
        ),
        *("RUNMART_ANALYST_CONNECTIONS", "RUNMART_ANALYST_IDLE_SECONDS"),
        "RUNMART_SOURCE_FORECAST_TRACKING_URL",
    )
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings.from_environment({})


def test_every_variable_is_read(tmp_path: Path) -> None:
    environment = {
        "RUNMART_HOME": f"{tmp_path}/a/../home",
        "RUNMART_WAREHOUSE_URL": "postgres://owner@host/warehouse",
        "RUNMART_DAGSTER_URL": "postgresql://dagster@host:6432/dagster",
        "RUNMART_SOURCE_FORECAST_TRACKING_URL": "postgresql:///tracking?host=%2Ftmp",
        "RUNMART_STORAGE_URL": "s3://key:a%2Fsecret@bucket/a%20folder?endpoint_url=http%3A%2F%2Fminio%3A9000",
        "RUNMART_ALERT_URLS": " slack://a/b/c , ,mailto://x:y@z.org",
        "RUNMART_HISTORY_DAYS": "400",
        "RUNMART_KEPT_RUNS": "100",
        "RUNMART_ANALYST_CONNECTIONS": "50",
        "RUNMART_ANALYST_STATEMENT_SECONDS": "60",
        "RUNMART_ANALYST_IDLE_SECONDS": "10",
        "RUNMART_ANALYST_TEMP_MEGABYTES": "2000000",
        "OTHER_URL": "no matter",
    }
    assert Settings.from_environment(environment) == Settings(
        home=tmp_path / "home",
        warehouse_url="postgresql://owner@host/warehouse",
        instance_url="postgresql://dagster@host:6432/dagster",
        source_urls={"forecast_tracking": "postgresql:///tracking?host=%2Ftmp"},
        given_storage_url="s3://key:a%2Fsecret@bucket/a%20folder?endpoint_url=http%3A%2F%2Fminio%3A9000",
        alert_urls=("slack://a/b/c", "mailto://x:y@z.org"),
        history_days=400,
        kept_runs=100,
        analysts=AnalystLimits(connections=50, statement_seconds=60, idle_seconds=10, temp_megabytes=2_000_000),
    )


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "a month", "2000001"])
@pytest.mark.parametrize(("name", "unit"), [("HISTORY_DAYS", "days"), ("KEPT_RUNS", "runs"), ("ANALYST_CONNECTIONS", "connections")])
def test_wrong_number_names_the_variable(name: str, unit: str, number: str) -> None:
    with pytest.raises(ConfigurationError, match=f"RUNMART_{name} must be a number of {unit}, from 1 to 2000000, or unset, not '{number}'"):
        Settings.from_environment({f"RUNMART_{name}": number})


def test_home_of_the_user_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.from_environment({"RUNMART_HOME": "~/runmart"}).home == tmp_path / "runmart"


def test_process_environment_is_read_without_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNMART_WAREHOUSE_URL", "postgresql://of-the-process/warehouse")
    assert Settings.from_environment().warehouse_url == "postgresql://of-the-process/warehouse"


URL_VARIABLES = ("RUNMART_WAREHOUSE_URL", "RUNMART_DAGSTER_URL", "RUNMART_SOURCE_FORECAST_TRACKING_URL")

WRONG_URLS = {
    "another server": "mysql://user:secret@host/db",
    "driver in the scheme": "postgresql+psycopg2://user:secret@host/db",
    "keywords": "host=example.org password=secret",
    "port that is no number": "postgresql://user:secret@host:port/db",
    "password with a slash": "postgresql://user:secret/word@host:5432/db",
    "nothing but a word": "secret",
}


@pytest.mark.parametrize("name", URL_VARIABLES)
@pytest.mark.parametrize("case", WRONG_URLS)
def test_wrong_url_is_one_line_that_names_the_variable_and_keeps_the_secret(name: str, case: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({name: WRONG_URLS[case]})
    message = str(caught.value)
    assert message.startswith(f"{name} must be a PostgreSQL URL such as postgresql://")
    assert "\n" not in message
    assert "secret" not in message


@given(password=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_percent_encoded_password_is_kept(password: str) -> None:
    url = make_url("postgresql://host:5432/db").set(username="user", password=password).render_as_string(hide_password=False)
    read = Settings.from_environment({"RUNMART_WAREHOUSE_URL": url}).warehouse_url
    assert read is not None
    assert make_url(read).password == password


def test_url_for_a_system_that_there_is_not_names_the_ones_that_there_are() -> None:
    known = ", ".join(sorted(load_contracts()))
    for name, way_out in (("FORECASTS", "did you mean forecast_tracking?"), ("XQZ", f"there are: {known}")):
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_environment({f"RUNMART_SOURCE_{name}_URL": "postgresql://host/db"})
        assert str(caught.value) == f"RUNMART_SOURCE_{name}_URL: there is no system {name.lower()!r}; {way_out}"


def test_home_of_nobody_is_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"RUNMART_HOME: no home folder is known for the ~ of '~nobody-here/runmart'"):
        Settings.from_environment({"RUNMART_HOME": "~nobody-here/runmart"})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("/srv/a folder", "file:///srv/a%20folder"),
        ("file:///srv/files", "file:///srv/files"),
        ("~/files", "file:///home/ada/files"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/folder/of.files/", "s3://bucket/folder/of.files/"),
        ("s3://key:secret@bucket.example/folder", "s3://key:secret@bucket.example/folder"),
    ],
)
def test_storage_is_a_folder_of_the_machine_or_of_s3(given: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings.from_environment({"RUNMART_STORAGE_URL": given}).storage_url == url


def test_storage_is_in_the_home_unless_it_is_said(tmp_path: Path) -> None:
    assert Settings.from_environment({"RUNMART_HOME": str(tmp_path)}).storage_url == f"file://{tmp_path}/storage"


@pytest.mark.parametrize(
    "url",
    [
        "secret/folder",
        "/",
        "file://secret/srv/files",
        "file:///srv/../secret",
        "file:///srv?secret=1",
        "gs://secret/folder",
        "simplecache::s3://secret/folder",
        "s3://",
        "s3:///secret",
        "s3://bucket//secret",
        "s3://bucket/../secret",
        "s3://key:sec/ret@bucket/secret",
        "s3://key:sec#ret@bucket/secret",
        "s3://key@bucket/secret",
        "s3://:secret@bucket/folder",
        "s3://bucket/folder?secret=1",
        "s3://bucket/folder?secret",
        "s3://[secret/folder",
        "~nobody-here/secret",
    ],
)
def test_wrong_storage_is_one_line_that_keeps_the_secret(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"RUNMART_STORAGE_URL": url})
    message = str(caught.value)
    assert message.startswith("RUNMART_STORAGE_URL must be the whole path of a folder, or a URL such as s3://bucket/folder")
    assert "\n" not in message
    assert "secret/" not in message
    assert "bucket/secret" not in message


def test_settings_that_are_shown_keep_the_secret_of_the_storage() -> None:
    assert "word" not in repr(Settings.from_environment({"RUNMART_STORAGE_URL": "s3://key:word@bucket"}))
