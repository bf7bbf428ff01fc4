"""The URL of one database, as its clients write it.

Belongs here: libpq's URL, the one that users give, turned into those of SQLAlchemy and JDBC, and into that of another role or database.
Does not belong here: where a database is (`databases`) and whether a URL is one (`settings`).
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from psycopg2.extensions import parse_dsn

from dagster_project.errors import RunmartError

_PLAIN_HOST = re.compile(r"[\w.-]+", re.ASCII)

# What libpq calls it, and what the JDBC driver of PostgreSQL does. Values mean the same.
_JDBC_PARAMETERS = {
    **{name: name for name in ("user", "password", "options", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslpassword")},
    "application_name": "ApplicationName",
    "connect_timeout": "connectTimeout",
}
_PLACE = ("host", "hostaddr", "port", "dbname")


class NoSuchUrl(RunmartError):
    """A client cannot reach the database; the message says why, and the way out."""


def as_role(url: str, role: str) -> str:
    """The same database for another role, without the password of the first."""
    parts = {name: value for name, value in parse_dsn(url).items() if name != "password"}
    return _url("postgresql", {**parts, "user": role})


def on_database(url: str, database: str) -> str:
    """Another database of the same server, for the same role."""
    return _url("postgresql", {**parse_dsn(url), "dbname": database})


def database_of(url: str) -> str:
    """The name of the database; that of the role if the URL has none, as libpq reads it."""
    parts: Mapping[str, str] = parse_dsn(url)
    return parts.get("dbname") or parts.get("user", "")


def without_url(text: str, url: str) -> str:
    """A text, such as an error of the driver, in which nothing says where a database is or who connects to it."""
    parts: Mapping[str, str] = parse_dsn(url)
    told = {part for name, part in parts.items() if name in ("host", "hostaddr", "port", "user", "password", "dbname")}
    for part in sorted(told, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "…", text)
    return text


def sqlalchemy_url(url: str) -> str:
    """The same database as SQLAlchemy opens it with psycopg2; without the driver in its name it would ask for another one."""
    return _url("postgresql+psycopg2", parse_dsn(url))


def jdbc_url(url: str, variable: str) -> str:
    """The same database as the JDBC driver of PostgreSQL opens it.

    Args:
        url: The database.
        variable: The variable by which a user gives such a URL.

    Raises:
        NoSuchUrl: It is reached through a Unix socket, or the URL has a parameter that JDBC does not know.
    """
    parts = parse_dsn(url)
    hosts = parts.get("hostaddr") or parts.get("host") or "/"
    if "/" in hosts or "@" in hosts:
        raise NoSuchUrl(
            "JDBC needs a host and a port, and this database has only a Unix socket, as all databases on the embedded server; "
            f"to use JDBC, put it on a server of your own and set {variable}"
        )
    unknown = sorted(parts.keys() - _JDBC_PARAMETERS.keys() - set(_PLACE))
    if unknown:
        raise NoSuchUrl(f"the URL has the parameter {unknown[0]}, for which JDBC has no name; take it out of {variable}")
    places = ",".join(f"{_bracketed(host)}:{parts.get('port', 5432)}" for host in hosts.split(","))
    parameters = {_JDBC_PARAMETERS[name]: value for name, value in parts.items() if name not in _PLACE}
    return f"jdbc:postgresql://{places}/{_encoded(parts.get('dbname', ''))}{_query(parameters)}"


def _url(scheme: str, parts: Mapping[str, str]) -> str:
    """A URL of parts; a host that is none of the plain kind stands among the parameters, where it cannot be misread."""
    rest = dict(parts)
    secret = f":{_encoded(rest.pop('password'))}" if "user" in rest and "password" in rest else ""
    user = f"{_encoded(rest.pop('user'))}{secret}@" if "user" in rest else ""
    host = rest.pop("host") if _PLAIN_HOST.fullmatch(rest.get("host", "")) else ""
    port = f":{rest.pop('port')}" if host and "port" in rest else ""
    return f"{scheme}://{user}{host}{port}/{_encoded(rest.pop('dbname', ''))}{_query(rest)}"


def _query(parameters: Mapping[str, str]) -> str:
    return "?" + "&".join(f"{name}={_encoded(value)}" for name, value in parameters.items()) if parameters else ""


def _encoded(text: str) -> str:
    # A space is %20 and a plus %2B everywhere: readers differ in what a bare plus means.
    return quote(text, safe="")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
