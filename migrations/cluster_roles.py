"""Making and dropping the roles of a source database. Roles belong to the cluster, so databases share them.

Belongs here: the roles, and that they may connect. Does not belong here: which roles there are, and their rights (each system's revision).
"""

# Another database may have made a role, or be making it now.
_CREATE = """
DO $$
DECLARE
    role_name name;
BEGIN
    FOREACH role_name IN ARRAY string_to_array('{roles}', ',') LOOP
        IF to_regrole(quote_ident(role_name)) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END LOOP;
END $$;
"""

_GRANT_DATABASE = """
DO $$
BEGIN
    EXECUTE format('GRANT ALL ON DATABASE %I TO {role}', current_database());
END $$;
"""

# A role that still has rights in another database of the cluster, or members, is in use and stays. (Since PostgreSQL 16 a creator that is
# no superuser is a member of what it created.)
_DROP = """
DO $$
DECLARE
    role_name name;
BEGIN
    FOREACH role_name IN ARRAY string_to_array('{roles}', ',') LOOP
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), role_name);
        CONTINUE WHEN EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = role_name::regrole AND member <> current_user::regrole);
        BEGIN
            EXECUTE format('DROP ROLE %I', role_name);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            NULL;
        END;
    END LOOP;
END $$;
"""


def create(*roles: str, owner: str | None = None) -> str:
    """SQL that makes roles where the cluster has none of the name, and lets them connect to this database.

    Args:
        roles: Their names.
        owner: The one of them that gets all rights on the database itself.
    """
    return _CREATE.format(roles=",".join(roles)) + (_GRANT_DATABASE.format(role=owner) if owner else "")


def drop(*roles: str) -> str:
    """SQL that takes the rights on this database from roles, and drops those that no other database uses."""
    return _DROP.format(roles=",".join(roles))
