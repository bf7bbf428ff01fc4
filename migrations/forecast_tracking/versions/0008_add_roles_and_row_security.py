"""Add the roles readonly_user, data_scientist and admin_user, their rights, and row level security of experiments."""

from alembic import op

from migrations import cluster_roles

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROLES = ("readonly_user", "data_scientist", "admin_user")

# Who may change users, user_experiments or the owner of an experiment decides what row level security lets through. Data scientists may
# therefore not change users and owners, and the policies below say whom they may share with.
GRANT_RIGHTS = """
GRANT USAGE ON SCHEMA public, audit TO readonly_user;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO readonly_user;
GRANT SELECT ON audit.audit_logs TO readonly_user;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO readonly_user;

GRANT USAGE ON SCHEMA public TO data_scientist;
GRANT SELECT ON users, system_config TO data_scientist;
GRANT SELECT, INSERT ON experiments TO data_scientist;
GRANT UPDATE (experiment_name, experiment_description, experiment_type, status, lifecycle_stage, deleted_at, tags, metadata)
    ON experiments TO data_scientist;
GRANT SELECT, INSERT, UPDATE ON
    runs, datasets, dataset_features, models, model_registry, metrics, metric_summaries, hyperparameters, hyperparameter_search_spaces,
    artifacts, predictions, system_logs, user_experiments, tags
    TO data_scientist;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO data_scientist;

GRANT ALL ON SCHEMA public, audit, staging, archive TO admin_user;
GRANT ALL ON ALL TABLES IN SCHEMA public, audit TO admin_user;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public, audit TO admin_user;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA public, audit TO admin_user;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO admin_user;
"""

# Runs with its owner's rights: a policy that read the secured tables itself would apply to itself without end.
ACCESS_FUNCTION = """
CREATE FUNCTION accessible_experiments(username name, levels text[]) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.experiment_id FROM public.experiments AS e
    WHERE
        e.created_by = accessible_experiments.username
        OR EXISTS (
            SELECT 1 FROM public.users AS u
            WHERE u.username = accessible_experiments.username AND u.is_active AND u.is_superuser
        )
    UNION
    SELECT ue.experiment_id FROM public.user_experiments AS ue
    JOIN public.users AS u ON u.user_id = ue.user_id
    WHERE u.username = accessible_experiments.username AND u.is_active AND ue.permission_level = ANY (levels);
$$;
COMMENT ON FUNCTION accessible_experiments(name, text[]) IS
    'Experiments that a database role owns, shares on one of the levels, or, as a superuser of the tracker, may use anyhow.';
"""

POLICIES = """
ALTER TABLE experiments ENABLE ROW LEVEL SECURITY;
CREATE POLICY experiments_read_all ON experiments FOR SELECT TO readonly_user USING (true);
CREATE POLICY experiments_administer ON experiments TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY experiments_read ON experiments FOR SELECT TO data_scientist USING (
    created_by = current_user
    OR experiment_id IN (SELECT accessible_experiments(current_user, '{read,write,admin,owner}'))
);
CREATE POLICY experiments_create ON experiments FOR INSERT TO data_scientist WITH CHECK (created_by = current_user);
CREATE POLICY experiments_change ON experiments FOR UPDATE TO data_scientist USING (
    experiment_id IN (SELECT accessible_experiments(current_user, '{write,admin,owner}'))
);

ALTER TABLE user_experiments ENABLE ROW LEVEL SECURITY;
CREATE POLICY user_experiments_read_all ON user_experiments FOR SELECT TO readonly_user USING (true);
CREATE POLICY user_experiments_administer ON user_experiments TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY user_experiments_read ON user_experiments FOR SELECT TO data_scientist USING (
    user_id IN (SELECT u.user_id FROM users AS u WHERE u.username = current_user)
    OR experiment_id IN (SELECT accessible_experiments(current_user, '{admin,owner}'))
);
CREATE POLICY user_experiments_share ON user_experiments FOR INSERT TO data_scientist WITH CHECK (
    experiment_id IN (SELECT accessible_experiments(current_user, '{admin,owner}'))
);
CREATE POLICY user_experiments_change ON user_experiments FOR UPDATE TO data_scientist USING (
    experiment_id IN (SELECT accessible_experiments(current_user, '{admin,owner}'))
);
"""

DROP_POLICIES = """
DROP POLICY user_experiments_change ON user_experiments;
DROP POLICY user_experiments_share ON user_experiments;
DROP POLICY user_experiments_read ON user_experiments;
DROP POLICY user_experiments_administer ON user_experiments;
DROP POLICY user_experiments_read_all ON user_experiments;
ALTER TABLE user_experiments DISABLE ROW LEVEL SECURITY;
DROP POLICY experiments_change ON experiments;
DROP POLICY experiments_create ON experiments;
DROP POLICY experiments_read ON experiments;
DROP POLICY experiments_administer ON experiments;
DROP POLICY experiments_read_all ON experiments;
ALTER TABLE experiments DISABLE ROW LEVEL SECURITY;
DROP FUNCTION accessible_experiments(name, text[]);
"""

REVOKE_RIGHTS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM readonly_user, admin_user;
REVOKE ALL ON ALL TABLES IN SCHEMA public, audit, archive FROM readonly_user, data_scientist, admin_user;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public, audit FROM readonly_user, data_scientist, admin_user;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public, audit FROM readonly_user, data_scientist, admin_user;
REVOKE ALL ON SCHEMA public, audit, staging, archive FROM readonly_user, data_scientist, admin_user;
"""


def upgrade() -> None:
    """Create the roles, grant their rights and secure the rows."""
    for statements in (cluster_roles.create(*ROLES, owner="admin_user"), GRANT_RIGHTS, ACCESS_FUNCTION, POLICIES):
        op.execute(statements)


def downgrade() -> None:
    """Revoke what this database granted, and drop the roles that no other database uses."""
    for statements in (DROP_POLICIES, REVOKE_RIGHTS, cluster_roles.drop(*ROLES)):
        op.execute(statements)
