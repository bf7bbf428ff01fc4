"""What `runmart url` prints.

Belongs here: which databases a user may name, and how their URL is written on request. Does not belong here: the URLs themselves
(`resources.databases`, `postgres.urls`).
"""

from enum import StrEnum

from dagster_project.contracts.loading import shared_contracts
from dagster_project.postgres.roles import ANALYST
from dagster_project.postgres.urls import as_role, jdbc_url, sqlalchemy_url
from dagster_project.resources.databases import WAREHOUSE, Databases
from dagster_project.resources.tenants import known_warehouse, reader_of
from dagster_project.settings import WAREHOUSE_VARIABLE, ConfigurationError, url_variable
from dagster_project.suggestions import no_such

_AS_ANALYST = "analyst"


class UrlFormat(StrEnum):
    """Who is to read a URL: psql and psycopg, SQLAlchemy and pandas, or a JDBC driver."""

    LIBPQ = "libpq"
    SQLALCHEMY = "sqlalchemy"
    JDBC = "jdbc"


def url_of(databases: Databases, name: str, url_format: UrlFormat) -> str:
    """The URL of a database.

    Args:
        databases: Where databases are.
        name: `warehouse`, `analyst` or a system.
        url_format: How to write it.

    Raises:
        ConfigurationError: There is no such database.
        NoSuchUrl: It cannot be reached in that way.
    """
    known = [WAREHOUSE, _AS_ANALYST, *shared_contracts()]
    if name not in known:
        raise ConfigurationError(no_such("database", name, known))
    url = databases.url(WAREHOUSE, ANALYST) if name == _AS_ANALYST else databases.url(name)
    return _written(url, url_format, url_variable(name) if name in shared_contracts() else WAREHOUSE_VARIABLE)


def url_of_tenant(databases: Databases, system: str, tenant: str, name: str, url_format: UrlFormat) -> str:
    """The URL of the warehouse of a tenant; `analyst` is the role that reads it and nothing else.

    Raises:
        ConfigurationError: There is no such tenant or database.
        NoSuchUrl: It cannot be reached in that way.
    """
    if name not in (WAREHOUSE, _AS_ANALYST):
        raise ConfigurationError(no_such("database", name, [WAREHOUSE, _AS_ANALYST], " of a tenant"))
    url = known_warehouse(databases, system, tenant).url
    return _written(as_role(url, reader_of(url)) if name == _AS_ANALYST else url, url_format, WAREHOUSE_VARIABLE)


def _written(url: str, url_format: UrlFormat, variable: str) -> str:
    match url_format:
        case UrlFormat.LIBPQ:
            return url
        case UrlFormat.SQLALCHEMY:
            return sqlalchemy_url(url)
        case UrlFormat.JDBC:
            return jdbc_url(url, variable)
