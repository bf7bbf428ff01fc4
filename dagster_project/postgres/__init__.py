"""What every client of PostgreSQL needs: cursors, errors, roles, URLs, versions; no Dagster, nothing of Runmart's tables."""
