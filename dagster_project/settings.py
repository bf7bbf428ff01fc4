"""The only reader of the environment.

Belongs here: what a user may set from outside, its defaults and its validation. Does not belong here: connecting to anything, or
starting anything (`resources.databases` does both). Nothing is read at import; call `Settings.from_environment()`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psycopg2
from dotenv import dotenv_values
from psycopg2.extensions import parse_dsn
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from dagster_project import places
from dagster_project.errors import RunmartError
from dagster_project.places import DOTENV, HOME_VARIABLE, home_folder
from dagster_project.suggestions import no_such

PROJECT_ROOT = places.PROJECT_ROOT
SOURCES_ROOT = PROJECT_ROOT / "dagster_project" / "defs" / "sources"
MIGRATIONS_ROOT = PROJECT_ROOT / "migrations"
DBT_PROJECT = PROJECT_ROOT / "dbt_project"

WAREHOUSE_VARIABLE = "RUNMART_WAREHOUSE_URL"
STORAGE_VARIABLE = "RUNMART_STORAGE_URL"

_SOURCE_PREFIX = "RUNMART_SOURCE_"
_SOURCE_SUFFIX = "_URL"

# A bucket of S3, and a folder in it or none; a password that is not encoded is neither.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]")
_FOLDER = re.compile(r"(/(?!\.{1,2}(/|$))[^/]+)*/?")

# PostgreSQL counts milliseconds and kilobytes in 31 bits.
_LARGEST_NUMBER = 2_000_000


def has_migrations(name: str) -> bool:
    """Whether a database is Runmart's to build; that of a user's own is not."""
    return (MIGRATIONS_ROOT / name / "versions").is_dir()


def url_variable(system: str) -> str:
    """The variable that says where a system's database is."""
    return f"{_SOURCE_PREFIX}{system.upper()}{_SOURCE_SUFFIX}"


class ConfigurationError(RunmartError):
    """A setting is missing or wrong; the message names it, its value and the way out."""


@dataclass(frozen=True)
class AnalystLimits:
    """What the role runmart_analyst may use of the warehouse's server.

    Attributes:
        connections: How many may be open at a time.
        statement_seconds: How long a statement may take.
        idle_seconds: How long a transaction may stay open between two statements.
        temp_megabytes: How much a connection may put aside on disk at a time, for sorting and the like.
    """

    connections: int = 200
    statement_seconds: int = 300
    idle_seconds: int = 60
    temp_megabytes: int = 1024


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        home: Folder for the state of the embedded default (server, logs, Data Docs).
        warehouse_url: PostgreSQL URL of the warehouse, or None for the embedded server.
        source_urls: PostgreSQL URL by system, for the systems that are not on the embedded server.
        instance_url: PostgreSQL URL of the Dagster instance, or None for the embedded server.
        given_storage_url: Where the files are that rows name: `file:///folder` or `s3://bucket/folder`; None for a folder of the home.
        alert_urls: Apprise URLs that alerts go to; empty means that alerts are only logged.
        history_days: Days for which versions of mart rows that have ended are kept; None for ever.
        kept_runs: How many runs Dagster remembers, the newest; and those that say how something stands.
        analysts: What analysts may use of the warehouse's server.
    """

    home: Path
    warehouse_url: str | None = None
    instance_url: str | None = None
    source_urls: Mapping[str, str] = field(default_factory=dict)
    given_storage_url: str | None = field(default=None, repr=False)
    alert_urls: tuple[str, ...] = ()
    history_days: int | None = None
    kept_runs: int = 500
    analysts: AnalystLimits = AnalystLimits()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read `RUNMART_*` from the process environment, over the project's `.env` file.

        Args:
            environment: Replaces both, for tests.

        Raises:
            ConfigurationError: A URL is not a PostgreSQL URL, a variable names a system that there is not, a number is none, or the home
                folder cannot be found.
        """
        if environment is None:
            from_file = {key: value for key, value in dotenv_values(DOTENV).items() if value}
            environment = {**from_file, **os.environ}
        source_urls = {
            _system(key): postgres_url(key, value)
            for key, value in environment.items()
            if key.startswith(_SOURCE_PREFIX) and key.endswith(_SOURCE_SUFFIX) and value
        }
        return cls(
            home=_home(environment),
            warehouse_url=_optional_url(WAREHOUSE_VARIABLE, environment),
            instance_url=_optional_url("RUNMART_DAGSTER_URL", environment),
            source_urls=source_urls,
            given_storage_url=_optional_storage(environment),
            alert_urls=tuple(url.strip() for url in environment.get("RUNMART_ALERT_URLS", "").split(",") if url.strip()),
            history_days=_optional_number("RUNMART_HISTORY_DAYS", "days", environment),
            kept_runs=_optional_number("RUNMART_KEPT_RUNS", "runs", environment) or cls.kept_runs,
            analysts=_analyst_limits(environment),
        )

    @property
    def storage_url(self) -> str:
        """Where the files are that rows name; it may hold a secret."""
        return self.given_storage_url or (self.home / "storage").as_uri()


def _home(environment: Mapping[str, str]) -> Path:
    value = environment.get(HOME_VARIABLE)
    try:
        return home_folder(value)
    except RuntimeError as error:
        raise ConfigurationError(f"{HOME_VARIABLE}: no home folder is known for the ~ of {value!r}; write the whole path") from error


def _optional_url(name: str, environment: Mapping[str, str]) -> str | None:
    value = environment.get(name)
    return postgres_url(name, value) if value else None


def _optional_storage(environment: Mapping[str, str]) -> str | None:
    value = environment.get(STORAGE_VARIABLE)
    return storage_url(STORAGE_VARIABLE, value) if value else None


def _analyst_limits(environment: Mapping[str, str]) -> AnalystLimits:
    units = {"connections": "connections", "statement_seconds": "seconds", "idle_seconds": "seconds", "temp_megabytes": "megabytes"}
    given = {limit: _optional_number(f"RUNMART_ANALYST_{limit.upper()}", unit, environment) for limit, unit in units.items()}
    return AnalystLimits(**{limit: number for limit, number in given.items() if number is not None})


def _optional_number(name: str, unit: str, environment: Mapping[str, str]) -> int | None:
    value = environment.get(name)
    if not value:
        return None
    if not value.isdecimal() or not 1 <= int(value) <= _LARGEST_NUMBER:
        raise ConfigurationError(f"{name} must be a number of {unit}, from 1 to {_LARGEST_NUMBER}, or unset, not {value!r}")
    return int(value)


def _system(name: str) -> str:
    system = name.removeprefix(_SOURCE_PREFIX).removesuffix(_SOURCE_SUFFIX).lower()
    known = sorted(path.parent.name for path in SOURCES_ROOT.glob("*/defs.yaml"))
    if system not in known:
        raise ConfigurationError(f"{name}: {no_such('system', system, known)}")
    return system


def postgres_url(name: str, value: str) -> str:
    """A URL that libpq and SQLAlchemy both read, beginning with `postgresql://`.

    Args:
        name: What the user calls it: a variable or an option.
        value: What the user gave.

    Raises:
        ConfigurationError: It is none.
    """
    # The value may hold a password: no message repeats it.
    expected = "a PostgreSQL URL such as postgresql://user:password@host:5432/database"
    scheme, separator, rest = value.partition("://")
    if not separator:
        raise ConfigurationError(f"{name} must be {expected}")
    if scheme not in ("postgresql", "postgres"):
        raise ConfigurationError(f"{name} must be {expected}, not one of {scheme!r}")
    try:
        # Both readers of the URL must agree that it is one: libpq's own and SQLAlchemy's, which lets more pass.
        int(parse_dsn(f"postgresql://{rest}").get("port", 0))
        make_url(f"postgresql://{rest}")
    except (psycopg2.Error, ArgumentError, ValueError) as error:
        raise ConfigurationError(f"{name} must be {expected}; percent-encode special characters of the password") from error
    return f"postgresql://{rest}"


def storage_url(name: str, value: str) -> str:
    """The URL of a folder, of this machine or of S3.

    Args:
        name: What the user calls it.
        value: What the user gave: a URL, or the whole path of a folder.

    Raises:
        ConfigurationError: It is none.
    """
    # The value may hold a secret: no message repeats it.
    wrong = ConfigurationError(
        f"{name} must be the whole path of a folder, or a URL such as s3://bucket/folder; percent-encode special characters of a key, "
        "of a secret and of endpoint_url"
    )
    try:
        parts = urlsplit(value if "://" in value else Path(value).expanduser().as_uri())
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except (ValueError, RuntimeError):
        raise wrong from None
    user, _, bucket = parts.netloc.rpartition("@")
    is_folder = parts.scheme == "file" and not parts.netloc and len(parts.path) > 1 and not options
    is_bucket = parts.scheme == "s3" and _BUCKET.fullmatch(bucket) is not None and options.keys() <= {"endpoint_url"}
    is_signed = not user or all(user.partition(":"))
    if not (is_folder or is_bucket) or not is_signed or parts.fragment or not _FOLDER.fullmatch(parts.path):
        raise wrong
    return parts.geturl()
