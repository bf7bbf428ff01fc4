"""Source systems as Dagster assets: a contract in, assets and checks out."""
