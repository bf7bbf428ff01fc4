"""A source system drafted from a live database: its contract, its staging models and its suites."""
