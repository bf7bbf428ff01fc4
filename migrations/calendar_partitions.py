"""Functions in a source database that make and archive the partitions of its tables, one for each calendar month.

Belongs here: their text, which a revision of each such system executes; what a released revision has executed must not change, so whoever
changes the text here first copies the old one into the revisions that have it. Does not belong here: which tables have partitions (each
system's revision), and when they are made (`dagster_project.defs.upkeep`).
"""

from collections.abc import Sequence

# Months are those of UTC, whatever the session says. The parent is locked at once rather than step by step, because a stronger lock taken
# later would deadlock with writers. The advisory lock lets one creator at a time look what is missing.
#
# Rows that went to DEFAULT before their month had a partition are moved while no trigger and no foreign key sees it: a run that is deleted
# takes its results along. So DEFAULT is detached, which PostgreSQL refuses while rows refer to it, and foreign keys to the table are taken
# off before. Both come back in the same transaction; rows that refer to the table are checked then.
_CREATE = """
CREATE FUNCTION create_partitions(parent regclass, first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    schema_name name;
    parent_name name;
    key name;
    default_partition regclass;
    storage_parameters text;
    month timestamp;
    partition text;
    in_month text;
    has_rows boolean;
    is_detached boolean := false;
    reference record;
    taken_off text[] := '{}';
    put_back text;
    created integer := 0;
BEGIN
    IF parent = ANY (ARRAY[{tables}]::regclass[]) IS NOT TRUE THEN
        RAISE EXCEPTION 'table % has no calendar partitions', parent USING HINT = 'Use {known}.';
    ELSIF first_day IS NULL OR last_day IS NULL OR first_day > last_day THEN
        RAISE EXCEPTION 'no days from % to %', coalesce(first_day::text, 'NULL'), coalesce(last_day::text, 'NULL')
            USING HINT = 'Give the first day and then the last.';
    END IF;
    SELECT n.nspname, c.relname, a.attname, d.oid
    INTO schema_name, parent_name, key, default_partition
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_partitioned_table AS p ON p.partrelid = c.oid
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    JOIN pg_class AS d ON d.oid = p.partdefid
    WHERE c.oid = parent;
    SELECT 'WITH (' || string_agg(format('%I = %L', o.option_name, o.option_value), ', ') || ')'
    INTO storage_parameters
    FROM pg_class AS d
    CROSS JOIN pg_options_to_table(d.reloptions) AS o
    WHERE d.oid = default_partition;

    PERFORM pg_advisory_xact_lock('pg_class'::regclass::oid::integer, parent::oid::integer);
    FOR month IN SELECT generate_series(date_trunc('month', first_day::timestamp), last_day::timestamp, interval '1 month') LOOP
        partition := format('%I.%I', schema_name, parent_name || to_char(month, '"_"YYYY_MM'));
        CONTINUE WHEN EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = parent AND inhrelid = to_regclass(partition));
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', parent);
        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL) %s', partition, parent, storage_parameters);
        in_month := format('%I >= %L AND %I < %L', key, month, key, month + interval '1 month');
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %s)', default_partition, in_month) INTO has_rows;
        IF has_rows AND NOT is_detached THEN
            FOR reference IN
                SELECT conrelid::regclass AS child, conname AS name, pg_get_constraintdef(oid) AS definition
                FROM pg_constraint
                WHERE confrelid = parent AND contype = 'f' AND conparentid = 0
            LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', reference.child, reference.name);
                taken_off := taken_off || format('%s ADD CONSTRAINT %I %s', reference.child, reference.name, reference.definition);
            END LOOP;
            EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, default_partition);
            is_detached := true;
        END IF;
        IF has_rows THEN
            EXECUTE format('INSERT INTO %s SELECT * FROM %s WHERE %s', partition, default_partition, in_month);
            EXECUTE format('DELETE FROM %s WHERE %s', default_partition, in_month);
        END IF;
        EXECUTE format(
            'ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', parent, partition, month, month + interval '1 month'
        );
        created := created + 1;
    END LOOP;
    IF is_detached THEN
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s DEFAULT', parent, default_partition);
        FOREACH put_back IN ARRAY taken_off LOOP
            EXECUTE 'ALTER TABLE ' || put_back;
        END LOOP;
    END IF;
    RETURN created;
END $$;
COMMENT ON FUNCTION create_partitions(regclass, date, date) IS
    'Creates the missing partitions of the months from that of first_day to that of last_day, with the storage parameters of DEFAULT, '
    'moves their rows out of DEFAULT, and returns how many it created.';
"""

_FUTURE = """
CREATE FUNCTION create_future_partitions(periods integer DEFAULT 4) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(public.create_partitions(parent, today, (today + periods * interval '1 month')::date))::integer
    FROM (SELECT (now() AT TIME ZONE 'utc')::date AS today) AS clock
    CROSS JOIN unnest(ARRAY[{tables}]::regclass[]) AS parents (parent);
$$;
COMMENT ON FUNCTION create_future_partitions(integer) IS
    'Creates the partitions of the present and of so many coming months for every partitioned table; meant for a daily job.';
"""

# An archived partition keeps its rows whatever happens to the rows and sequences that they came from. PostgreSQL refuses to detach one that
# rows of another table refer to.
_ARCHIVE = r"""
CREATE FUNCTION archive_partitions(parent regclass, before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    key name;
    default_partition regclass;
    months_in_default date[];
    month date;
    partition regclass;
    partition_name name;
    change text;
    archived integer := 0;
BEGIN
    IF parent = ANY (ARRAY[{tables}]::regclass[]) IS NOT TRUE THEN
        RAISE EXCEPTION 'table % has no calendar partitions', parent USING HINT = 'Use {known}.';
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', parent);
    SELECT a.attname, p.partdefid
    INTO key, default_partition
    FROM pg_partitioned_table AS p
    JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent;
    EXECUTE format(
        'SELECT array_agg(DISTINCT date_trunc(''month'', %I)::date) FROM %s WHERE %I < %L AND isfinite(%I)',
        key, default_partition, key, date_trunc('month', before::timestamp), key
    ) INTO months_in_default;
    FOREACH month IN ARRAY coalesce(months_in_default, '{}') LOOP
        PERFORM public.create_partitions(parent, month, month);
    END LOOP;
    FOR partition, partition_name IN
        SELECT c.oid, c.relname
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent
            AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamp <= before
        ORDER BY c.relname
    LOOP
        EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, partition);
        FOR change IN
            SELECT format('DROP CONSTRAINT %I', conname) FROM pg_constraint WHERE conrelid = partition AND contype = 'f'
            UNION ALL
            SELECT format('ALTER COLUMN %I DROP DEFAULT', attname) FROM pg_attribute WHERE attrelid = partition AND atthasdef
        LOOP
            EXECUTE format('ALTER TABLE %s %s', partition, change);
        END LOOP;
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
    'and defaults. Rows of such months that are in DEFAULT go along; rows of a month that is archived already are added to it. Returns how '
    'many it detached.';
"""

_RIGHTS = """
REVOKE ALL ON FUNCTION create_partitions(regclass, date, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION create_future_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION archive_partitions(regclass, date) FROM PUBLIC;
GRANT ALL ON FUNCTION create_partitions(regclass, date, date) TO {administrator};
GRANT ALL ON FUNCTION create_future_partitions(integer) TO {administrator};
GRANT ALL ON FUNCTION archive_partitions(regclass, date) TO {administrator};
"""

DROP = """
DROP FUNCTION archive_partitions(regclass, date);
DROP FUNCTION create_future_partitions(integer);
DROP FUNCTION create_partitions(regclass, date, date);
"""


def create(tables: Sequence[str], administrator: str) -> str:
    """Statements that create the functions.

    Args:
        tables: Those with a partition for each month and one for the rest, with their schemas.
        administrator: The role that may call the functions, beside their owner.
    """
    values = {
        "{tables}": ", ".join(f"'{table}'" for table in tables),
        "{known}": " or ".join(table.removeprefix("public.") for table in tables),
        "{administrator}": administrator,
    }
    statements = _CREATE + _FUTURE + _ARCHIVE + _RIGHTS
    for name, value in values.items():
        statements = statements.replace(name, value)
    return statements
