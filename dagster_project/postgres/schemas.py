"""The schemas of the warehouse that the platform has for itself.

Belongs here: their names, where more than one part needs them. Does not belong here: the schemas of a system (`contracts`), and what may be
done in each: revisions in `migrations/warehouse` make them, with the names written out, because a revision never changes.
"""

# What analysts read.
PUBLISHED = "analytics"

# What a refresh has built and not yet published.
CANDIDATES = "analytics_next"

# What marts are made of and refreshes keep.
KEPT = "kept"

# Views of raw, which dbt makes anew with every build.
STAGING = "staging"
