"""Copying rows without loss. Nothing here imports Dagster."""
