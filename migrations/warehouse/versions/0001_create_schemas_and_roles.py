"""Create the roles and the schemas that migrations own.

The schemas staging, analytics and analytics_next are dbt's, raw_<system> is ingestion's; both are made by the roles granted here.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Roles belong to the whole server: another database of it may have made them already.
_CREATE_ROLE = """
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = '{role}') then
        create role {role} {attributes};
    end if;
end
$$
"""

_DROP_ROLE = """
do $$
begin
    drop role if exists {role};
exception when dependent_objects_still_exist then
    raise notice 'role {role} is still used by another database and stays';
end
$$
"""

_ROLES = {"runmart_ingest": "nologin", "runmart_transform": "nologin", "runmart_analyst": "login"}


def upgrade() -> None:
    """Create roles and schemas; every login may act as the two working roles only if it is their member."""
    for role, attributes in _ROLES.items():
        op.execute(_CREATE_ROLE.format(role=role, attributes=attributes))
    op.execute("grant runmart_ingest, runmart_transform to current_user")
    op.execute(
        """
        do $$
        begin
            execute format('revoke all on database %I from public', current_database());
            execute format('grant connect, temporary, create on database %I to runmart_ingest, runmart_transform', current_database());
            execute format('grant connect on database %I to runmart_analyst', current_database());
        end
        $$
        """
    )
    op.execute("revoke all on schema public from public")
    for schema in ("ops", "quality", "archive"):
        op.execute(f"create schema {schema}")
    op.execute("grant usage on schema ops to runmart_ingest, runmart_transform")
    op.execute("grant usage, create on schema archive to runmart_ingest, runmart_transform")
    op.execute("grant usage on schema quality to runmart_transform, runmart_analyst")


def downgrade() -> None:
    """Drop everything that was built with the roles in this database, then the roles."""
    for schema in ("archive", "quality", "ops"):
        op.execute(f"drop schema {schema} cascade")
    op.execute(
        """
        do $$
        begin
            execute format('grant connect, temporary on database %I to public', current_database());
        end
        $$
        """
    )
    op.execute("grant usage on schema public to public")
    for role in reversed(_ROLES):
        op.execute(f"drop owned by {role} cascade")
        op.execute(_DROP_ROLE.format(role=role))
