"""Contracts: what of each source may be read, and what raw tables are called; no Dagster, no database."""
