"""Add the functions that create and archive partitions, and the partitions of 2025 and 2026."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PERIOD = """
CREATE FUNCTION partition_period(parent regclass) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE parent
        WHEN 'public.predictions'::regclass THEN interval '3 months'
        WHEN 'public.system_logs'::regclass THEN interval '1 month'
        WHEN 'audit.audit_logs'::regclass THEN interval '3 months'
    END;
END $$;
COMMENT ON FUNCTION partition_period(regclass) IS 'Length of the partitions of a table, a quarter or a month; NULL for other tables.';
"""

# Rows that went to the DEFAULT partition before their period had one are moved. The parent is locked at once rather than step by step,
# because a stronger lock taken later would deadlock with writers. The advisory lock lets one creator at a time look what is missing.
CREATE = """
CREATE FUNCTION create_partitions(parent regclass, first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    period interval := public.partition_period(parent);
    unit text := CASE period WHEN interval '1 month' THEN 'month' ELSE 'quarter' END;
    suffix text := CASE unit WHEN 'month' THEN 'YYYY_MM' ELSE 'YYYY_"q"Q' END;
    schema_name name;
    parent_name name;
    key name;
    default_partition regclass;
    starts_at timestamp;
    partition text;
    created integer := 0;
BEGIN
    IF period IS NULL THEN
        RAISE EXCEPTION 'table % has no calendar partitions', parent USING HINT = 'Use predictions, system_logs or audit.audit_logs.';
    ELSIF first_day IS NULL OR last_day IS NULL OR first_day > last_day THEN
        RAISE EXCEPTION 'no days from % to %', coalesce(first_day::text, 'NULL'), coalesce(last_day::text, 'NULL')
            USING HINT = 'Give the first day and then the last.';
    END IF;
    SELECT n.nspname, c.relname, a.attname, p.partdefid::regclass
    INTO schema_name, parent_name, key, default_partition
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_partitioned_table AS p ON p.partrelid = c.oid
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    WHERE c.oid = parent;

    PERFORM pg_advisory_xact_lock('pg_class'::regclass::oid::integer, parent::oid::integer);
    FOR starts_at IN SELECT generate_series(date_trunc(unit, first_day::timestamp), last_day::timestamp, period) LOOP
        partition := format('%I.%I', schema_name, parent_name || '_' || to_char(starts_at, suffix));
        CONTINUE WHEN EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = parent AND inhrelid = to_regclass(partition));
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', parent);
        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', partition, parent);
        EXECUTE format(
            'WITH moved AS (DELETE FROM %s WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %s SELECT * FROM moved',
            default_partition, key, starts_at, key, starts_at + period, partition
        );
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', parent, partition, starts_at, starts_at + period);
        created := created + 1;
    END LOOP;
    RETURN created;
END $$;
COMMENT ON FUNCTION create_partitions(regclass, date, date) IS
    'Creates the missing calendar partitions that cover the days from first_day to last_day, moves their rows out of DEFAULT, '
    'and returns how many it created.';

CREATE FUNCTION create_future_partitions(periods integer DEFAULT 4) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(public.create_partitions(parent, today, (today + periods * public.partition_period(parent))::date))::integer
    FROM (SELECT (now() AT TIME ZONE 'utc')::date AS today) AS clock
    CROSS JOIN unnest(ARRAY['public.predictions', 'public.system_logs', 'audit.audit_logs']::regclass[]) AS parents (parent);
$$;
COMMENT ON FUNCTION create_future_partitions(integer) IS
    'Creates the partitions of the present and of so many coming periods for every partitioned table; meant for a daily job.';
"""

# An archived partition keeps its rows whatever happens to the runs and sequences that they came from.
ARCHIVE = """
CREATE FUNCTION archive_partitions(parent regclass, before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition regclass;
    partition_name name;
    changes text;
    archived integer := 0;
BEGIN
    IF public.partition_period(parent) IS NULL THEN
        RAISE EXCEPTION 'table % has no calendar partitions', parent USING HINT = 'Use predictions, system_logs or audit.audit_logs.';
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', parent);
    FOR partition, partition_name IN
        SELECT c.oid, c.relname
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent
            AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamp <= before
        ORDER BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, partition);
        SELECT string_agg(change, ', ')
        INTO changes
        FROM (
            SELECT format('DROP CONSTRAINT %I', conname) FROM pg_constraint WHERE conrelid = partition AND contype = 'f'
            UNION ALL
            SELECT format('ALTER COLUMN %I DROP DEFAULT', attname) FROM pg_attribute WHERE attrelid = partition AND atthasdef
        ) AS dependencies (change);
        EXECUTE format('ALTER TABLE %s %s', partition, changes);
        IF to_regclass(format('archive.%I', partition_name)) IS NULL THEN
            EXECUTE format('ALTER TABLE %s SET SCHEMA archive', partition);
        ELSE
            EXECUTE format('INSERT INTO archive.%I SELECT * FROM %s', partition_name, partition);
            EXECUTE format('DROP TABLE %s', partition);
        END IF;
        archived := archived + 1;
    END LOOP;
    RETURN archived;
END $$;
COMMENT ON FUNCTION archive_partitions(regclass, date) IS
    'Detaches the partitions that end before the day or with its beginning and moves them to schema archive, without their foreign keys '
    'and defaults; rows of a period that is archived already are added to it. Returns how many it detached.';
"""

RIGHTS = """
REVOKE ALL ON FUNCTION create_partitions(regclass, date, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION create_future_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION archive_partitions(regclass, date) FROM PUBLIC;
"""

FIRST_PARTITIONS = """
SELECT create_partitions('predictions', '2025-01-01', '2026-12-31');
SELECT create_partitions('system_logs', '2025-01-01', '2026-12-31');
SELECT create_partitions('audit.audit_logs', '2025-01-01', '2026-12-31');
"""

DOWNGRADE = """
DROP FUNCTION archive_partitions(regclass, date);
DROP FUNCTION create_future_partitions(integer);
DROP FUNCTION create_partitions(regclass, date, date);
DROP FUNCTION partition_period(regclass);
"""


def upgrade() -> None:
    """Create the functions and the first partitions."""
    for statements in (PERIOD, CREATE, ARCHIVE, RIGHTS, FIRST_PARTITIONS):
        op.execute(statements)


def downgrade() -> None:
    """Drop the functions; the partitions stay, because they hold rows."""
    op.execute(DOWNGRADE)
