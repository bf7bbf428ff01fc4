"""Suites to validations. Nothing here imports Dagster."""
