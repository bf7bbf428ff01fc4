"""What the published marts reflect, and where their values come from. No Dagster imports."""
