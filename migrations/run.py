"""Running Alembic from Python: the same code behind `runmart migrate` and the tests.

Belongs here: choosing a database's migrations and running them against a URL. Does not belong here: what the migrations do. Each database
has its own folder (`migrations/<name>/versions`); all share `env.py`. From a shell, `alembic -n <name> …` does the same.
"""

from alembic import command
from alembic.config import Config

from dagster_project.postgres.urls import sqlalchemy_url
from dagster_project.settings import MIGRATIONS_ROOT, PROJECT_ROOT, has_migrations


def config(name: str, url: str) -> Config:
    """Alembic's configuration for one database.

    Args:
        name: `warehouse` or a system; a folder under `migrations/`.
        url: libpq URL of the database to migrate.

    Raises:
        KeyError: There is no such folder.
    """
    if not has_migrations(name):
        known = ", ".join(sorted(path.parent.name for path in MIGRATIONS_ROOT.glob("*/versions")))
        raise KeyError(f"no migrations for {name!r}; there are some for: {known}")
    alembic = Config(PROJECT_ROOT / "alembic.ini", ini_section=name)
    alembic.attributes["url"] = sqlalchemy_url(url)
    return alembic


def upgrade(name: str, url: str, revision: str = "head") -> None:
    """Bring a database up to a revision."""
    command.upgrade(config(name, url), revision)


def downgrade(name: str, url: str, revision: str) -> None:
    """Take a database back to a revision (`base` undoes everything)."""
    command.downgrade(config(name, url), revision)
