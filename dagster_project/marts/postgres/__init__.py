"""The engine on PostgreSQL: SQL that computes groups, publishes them and keeps histories. No Dagster imports."""
