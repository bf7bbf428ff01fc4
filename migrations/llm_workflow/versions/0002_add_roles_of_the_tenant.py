"""Add the roles of this tenant's application and of its readers, and let nobody else in.

Roles belong to the cluster, and tenants may share one: a role of the same name would lead from one tenant's database to another's. So they
are called as the database: `<database>_app` and `<database>_readonly`.
"""

import re

from alembic import op

from dagster_project.errors import RunmartError
from migrations import cluster_roles

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# PostgreSQL cuts names off at 63 bytes, and the roles of two databases would be one.
DATABASE_NAME = re.compile(r"[A-Za-z0-9_-]{1,54}")

# The application keeps the audit log, and cannot rewrite it.
GRANT_RIGHTS = """
REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO "{app}", "{readonly}";

GRANT SELECT, INSERT, UPDATE ON prompts, runs, steps, artifacts TO "{app}";
GRANT DELETE ON runs, steps, artifacts TO "{app}";
GRANT INSERT ON audit_logs TO "{app}";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{app}";

GRANT SELECT ON prompts, runs, steps, artifacts, audit_logs TO "{readonly}";
"""

# What PostgreSQL gives everybody on a new database.
REVOKE_RIGHTS = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{app}", "{readonly}";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "{app}", "{readonly}";
REVOKE ALL ON SCHEMA public FROM "{app}", "{readonly}";
GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO PUBLIC;
"""


def upgrade() -> None:
    """Create the roles and grant their rights.

    Raises:
        RunmartError: No role can be called as the database.
    """
    names = _names()
    op.execute(cluster_roles.create(names["app"], names["readonly"]))
    op.execute(GRANT_RIGHTS.format(**names))


def downgrade() -> None:
    """Revoke what this database granted, drop its roles, and let everybody connect again, as PostgreSQL does by itself."""
    names = _names()
    op.execute(REVOKE_RIGHTS.format(**names))
    op.execute(cluster_roles.drop(names["app"], names["readonly"]))


def _names() -> dict[str, str]:
    """Names of this database and of its roles."""
    database: str = op.get_bind().exec_driver_sql("select current_database()").scalar_one()
    if not DATABASE_NAME.fullmatch(database):
        raise RunmartError(
            f"roles are called as the database of their tenant: give {database!r} a name of at most 54 letters, digits, _ and -"
        )
    return {"database": database, "app": f"{database}_app", "readonly": f"{database}_readonly"}
