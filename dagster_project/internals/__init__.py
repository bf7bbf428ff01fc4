"""Private parts of libraries: what they may move without a word, and Runmart cannot do without.

Belongs here: one module for each library with such parts, each part behind a name of ours; `tests/unit/internals` says which of them has
moved. Those of dbt itself stand in `dbt_runmart`, where dbt looks for them. Does not belong here: what a library documents.
"""
