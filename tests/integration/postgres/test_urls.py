"""URLs, opened by the clients that they are for, on a server that asks for a password; names and password are as awkward as they get."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import parse_dsn
from sqlalchemy import create_engine, text

from dagster_project.commands.urls import UrlFormat, url_of
from dagster_project.postgres.urls import NoSuchUrl, as_role, jdbc_url, sqlalchemy_url
from dagster_project.resources.databases import Databases
from dagster_project.settings import Settings
from tests.e2e.servers import password_server

ROLE = "o'neil + co@home"
PASSWORD = 'p@ss:w/o?r d+100%#&="\\é'  # noqa: S105
DATABASE = "my data/100% + more"
WHO = "select current_user, current_database(), current_setting('application_name'), current_setting('statement_timeout')"
EXPECTED = (ROLE, DATABASE, "a+b c", "5s")

# Where Debian puts the driver.
JDBC_DRIVER = Path("/usr/share/java/postgresql.jar")

JAVA = """
import java.sql.*;

public class Who {
    public static void main(String[] words) throws Exception {
        try (Connection connection = DriverManager.getConnection(words[0]);
             ResultSet row = connection.createStatement().executeQuery(words[1])) {
            row.next();
            for (int column = 1; column <= 4; column++) System.out.println(row.getString(column));
        }
    }
}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL that a user would give."""
    folder = tmp_path_factory.mktemp("asks") / "data"
    with password_server(folder) as place:
        parts = parse_dsn(place.format(password=""))
        with closing(psycopg2.connect(user="postgres", dbname="postgres", host=str(folder), port=parts["port"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("create role {} login password %s").format(sql.Identifier(ROLE)), (PASSWORD,))
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        login = f"{quote(ROLE, safe='')}:{quote(PASSWORD, safe='')}"
        # A bare plus is a plus to libpq, and a space to most other readers.
        options = "application_name=a+b%20c&options=-c%20statement_timeout%3D5s"
        yield f"postgresql://{login}@{parts['host']}:{parts['port']}/{quote(DATABASE, safe='')}?{options}"


@pytest.fixture
def databases(url: str, tmp_path: Path) -> Databases:
    return Databases(Settings(tmp_path, warehouse_url=url))


def test_libpq(databases: Databases) -> None:
    with closing(psycopg2.connect(url_of(databases, "warehouse", UrlFormat.LIBPQ))) as connection, connection.cursor() as cursor:
        cursor.execute(WHO)
        assert cursor.fetchall() == [EXPECTED]


def test_sqlalchemy_and_pandas(databases: Databases) -> None:
    found = url_of(databases, "warehouse", UrlFormat.SQLALCHEMY)
    with create_engine(found).connect() as connection:
        assert connection.execute(text(WHO)).all() == [EXPECTED]
    assert tuple(pd.read_sql(WHO, found).iloc[0]) == EXPECTED


@pytest.mark.skipif(shutil.which("javac") is None or not JDBC_DRIVER.exists(), reason="no JDK, or no JDBC driver of PostgreSQL")
def test_jdbc(databases: Databases, tmp_path: Path) -> None:
    source = tmp_path / "Who.java"
    source.write_text(JAVA, encoding="utf-8")
    found = url_of(databases, "warehouse", UrlFormat.JDBC)
    command = [str(shutil.which("java")), "-Dstdout.encoding=UTF-8", "-cp", str(JDBC_DRIVER), str(source), found, WHO]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert tuple(done.stdout.splitlines()) == EXPECTED, done.stderr


def test_another_role_keeps_all_but_the_password(url: str) -> None:
    kept = {name: value for name, value in parse_dsn(url).items() if name not in ("user", "password")}
    assert parse_dsn(as_role(url, "a b")) == {**kept, "user": "a b"}


@pytest.mark.parametrize(
    ("given", "sqlalchemy", "jdbc"),
    [
        ("postgresql://h/d", "postgresql+psycopg2://h/d", "jdbc:postgresql://h:5432/d"),
        ("postgresql://u@[::1]:5433/d", "postgresql+psycopg2://u@/d?host=%3A%3A1&port=5433", "jdbc:postgresql://[::1]:5433/d?user=u"),
        ("postgresql:///d?host=a,b&port=1", "postgresql+psycopg2:///d?host=a%2Cb&port=1", "jdbc:postgresql://a:1,b:1/d"),
        (
            "postgresql:///d?host=h&sslmode=require",
            "postgresql+psycopg2://h/d?sslmode=require",
            "jdbc:postgresql://h:5432/d?sslmode=require",
        ),
        (
            "postgresql://h/d?connect_timeout=3",
            "postgresql+psycopg2://h/d?connect_timeout=3",
            "jdbc:postgresql://h:5432/d?connectTimeout=3",
        ),
    ],
)
def test_place_is_kept(given: str, sqlalchemy: str, jdbc: str) -> None:
    assert (sqlalchemy_url(given), jdbc_url(given, "X")) == (sqlalchemy, jdbc)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("postgresql:///d?host=%2Fvar%2Frun", "this database has only a Unix socket, .* set RUNMART_WAREHOUSE_URL"),
        ("postgresql:///d", "this database has only a Unix socket"),
        ("postgresql://h/d?keepalives=1", "the parameter keepalives, for which JDBC has no name; take it out of RUNMART_WAREHOUSE_URL"),
    ],
)
def test_what_jdbc_cannot_reach_is_said(given: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NoSuchUrl, match=message):
        url_of(Databases(Settings(tmp_path, warehouse_url=given)), "warehouse", UrlFormat.JDBC)
