"""Runmart: a declarative ELT data platform for the metadata of machine-learning work."""
