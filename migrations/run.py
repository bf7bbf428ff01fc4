"""Running Alembic from Python: the same code behind `runmart migrate`, `python -m migrations` and the tests.

Belongs here: choosing a database's migrations and running them against a URL. Does not belong here: what the migrations do. Each database
has its own folder (`migrations/<name>/versions`), which is all that makes it known; all share `env.py`.
"""

from alembic import command
from alembic.config import Config

from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.settings import MIGRATIONS_ROOT, ConfigurationError, has_migrations
from dagster_project.suggestions import no_such


def config(name: str, url: str | None = None) -> Config:
    """Alembic's configuration for one database.

    Args:
        name: `warehouse` or a system; a folder under `migrations/`.
        url: libpq URL of the database to migrate; that of the settings if None, looked up when Alembic connects.

    Raises:
        ConfigurationError: There is no such folder.
    """
    if not has_migrations(name):
        known = sorted(path.parent.name for path in MIGRATIONS_ROOT.glob("*/versions"))
        raise ConfigurationError(no_such("folder of migrations", name, known))
    alembic = Config(attributes={"name": name, "url": url and sqlalchemy_url(url)})
    options = {
        "script_location": str(MIGRATIONS_ROOT),
        "version_locations": str(MIGRATIONS_ROOT / name / "versions"),
        "path_separator": "newline",
        "file_template": "%(rev)s_%(slug)s",
    }
    for option, value in options.items():
        # Alembic would take a percent sign for the beginning of an option's name.
        alembic.set_main_option(option, value.replace("%", "%%"))
    return alembic


def upgrade(name: str, url: str, revision: str = "head") -> None:
    """Bring a database up to a revision."""
    command.upgrade(config(name, url), revision)


def downgrade(name: str, url: str, revision: str) -> None:
    """Take a database back to a revision (`base` undoes everything)."""
    command.downgrade(config(name, url), revision)
