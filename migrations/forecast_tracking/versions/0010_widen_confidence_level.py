"""Widen the confidence level of predictions, so that it holds levels such as 97.5% and 99.9%."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Partitions follow their table; those that were archived are tables of their own, which take late rows in.
ALTER = """
DO $$
DECLARE
    archived regclass;
BEGIN
    ALTER TABLE predictions ALTER COLUMN confidence_level TYPE {type};
    FOR archived IN
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'archive' AND c.relkind = 'r' AND c.relname ~ '^predictions_[0-9]{{4}}_q[1-4]$'
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN confidence_level TYPE {type}', archived);
    END LOOP;
END $$
"""

# Rounding would tell 97.5% as 98%, and 99.9% as 100%.
REFUSE_TO_ROUND = """
DO $$
DECLARE
    place regclass;
    rounded bigint;
BEGIN
    FOR place IN
        SELECT 'predictions'::regclass
        UNION ALL
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'archive' AND c.relkind = 'r' AND c.relname ~ '^predictions_[0-9]{4}_q[1-4]$'
    LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE confidence_level <> round(confidence_level, 2)', place) INTO rounded;
        IF rounded > 0 THEN
            RAISE EXCEPTION '% rows of % have a confidence level of more than two decimals, which revision 0009 cannot hold', rounded, place
                USING HINT = 'Delete or round them first.';
        END IF;
    END LOOP;
END $$
"""


def upgrade() -> None:
    """Hold six decimals instead of two."""
    op.execute(ALTER.format(type="NUMERIC(7, 6)"))


def downgrade() -> None:
    """Hold two decimals again; refused if a level would be rounded."""
    op.execute(REFUSE_TO_ROUND)
    op.execute(ALTER.format(type="NUMERIC(3, 2)"))
