"""What Runmart changes in dbt itself, whoever starts it.

dbt imports every package whose name begins with `dbt_` and makes what it lists as `plugins`: see `dbt.plugins.manager`.

Belongs here: that list. Private parts of dbt are used here only; `tests/unit/internals/test_dbt.py` says which of them has moved.
Does not belong here: anything that macros can say (`dbt_project/macros`) or an option of dbt (`dbt_project.yml`).
"""

from dbt.adapters.postgres.impl import PostgresAdapter
from dbt.contracts.graph.manifest import Manifest
from dbt.plugins.contracts import PluginArtifacts
from dbt.plugins.manager import dbtPlugin

from dagster_project.short_lived import collect_garbage_rarely
from dbt_runmart.behavior import name_source_of_flags
from dbt_runmart.connections import PooledConnections
from dbt_runmart.declarations import require_plan
from dbt_runmart.log import write_what_is_read
from dbt_runmart.relations import RelationOfAnyDatabase
from dbt_runmart.selection import narrow_selection
from dbt_runmart.starting import write_less


class RunmartPlugin(dbtPlugin):
    """Makes dbt's PostgreSQL adapter use connections again, and what dbt parses hold in every warehouse.

    Lets dbt itself start and end sooner, and a refresh build what it needs.

    Stops at marts that do not say enough.
    """

    def initialize(self) -> None:
        """Take effect; dbt calls it before it makes an adapter."""
        PostgresAdapter.ConnectionManager = PooledConnections
        PostgresAdapter.Relation = RelationOfAnyDatabase
        collect_garbage_rarely()
        name_source_of_flags()
        narrow_selection()
        write_less()
        write_what_is_read()

    def get_manifest_artifacts(self, manifest: Manifest) -> PluginArtifacts:
        """Look at the project, which dbt has parsed, and add nothing to what it writes."""
        require_plan(manifest)
        return {}

    # What dbt looks for. Its decorator `dbt_hook` puts the name of the method ahead of every message.
    get_manifest_artifacts.is_dbt_hook = True  # type: ignore[attr-defined]


plugins = [RunmartPlugin]
