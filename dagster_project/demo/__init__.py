"""Real workloads that fill the source databases."""
