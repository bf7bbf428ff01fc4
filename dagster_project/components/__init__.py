"""The typed source contract: YAML in, assets out."""
