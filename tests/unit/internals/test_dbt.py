"""Each private part of dbt is where Runmart looks for it, and what it takes it for."""

import inspect
from dataclasses import fields
from typing import get_origin

from dbt.adapters.postgres.relation import PostgresRelation

from tests.private_parts import ADAPTERS, Part, has, moved, takes, untold

ADAPTER = ADAPTERS["dbt"]

_MANAGER = "dbt.adapters.postgres.connections:PostgresConnectionManager"
_ANY = "let what is parsed hold in every warehouse"
_POOL = "use connections to the warehouse again"
_STOP = "stop the parse at a mart that does not say enough"

PARTS = (
    Part("dbt.plugins.manager:dbtPlugin.initialize", "take effect in whatever starts dbt", takes("self")),
    Part("dbt.plugins.manager:dbtPlugin", "take effect in whatever starts dbt", lambda found: isinstance(found, type)),
    Part("dbt.plugins.manager:dbtPlugin.get_manifest_artifacts", _STOP, takes("self", "manifest")),
    Part("dbt.plugins.contracts:PluginArtifacts", _STOP, lambda found: get_origin(found) is dict),
    Part("dbt.exceptions:ParsingError", _STOP, takes("msg")),
    Part("dbt.adapters.postgres.impl:PostgresAdapter.ConnectionManager", _POOL, takes("profile", "mp_context")),
    Part(f"{_MANAGER}.open", _POOL, takes("connection")),
    Part(f"{_MANAGER}.get_credentials", _ANY, takes("credentials")),
    Part("dbt.adapters.postgres.connections:PostgresCredentials", _ANY, lambda found: "database" in {each.name for each in fields(found)}),
    Part("dbt.adapters.postgres.impl:PostgresAdapter.Relation", _ANY, lambda found: issubclass(found, PostgresRelation)),
    Part("dbt.adapters.postgres.relation:PostgresRelation", _ANY, lambda found: "include_policy" in {each.name for each in fields(found)}),
    Part("dbt.adapters.postgres.relation:PostgresRelation.information_schema", _ANY, takes("self", "view_name")),
    Part("dbt.adapters.base.relation:InformationSchema", _ANY, has("include")),
    Part("dbt.adapters.contracts.relation:Policy", _ANY, takes(database=False)),
    Part(f"{_MANAGER}.set_connection_name", _POOL, takes("self", "name")),
    Part(f"{_MANAGER}.get_if_exists", _POOL, takes("self")),
    Part(f"{_MANAGER}.release", _POOL, takes("self")),
    Part(f"{_MANAGER}.cleanup_all", _POOL, takes("self")),
    Part("dbt.adapters.contracts.connection:AdapterRequiredConfig", _POOL, has("credentials")),
    Part("dbt.adapters.contracts.connection:Connection", _POOL, has("handle", "state", "transaction_open")),
    Part("dbt.graph.selector:NodeSelector.get_selected", "build what a refresh needs", takes("self", "spec", warn_on_no_nodes=True)),
    Part("dbt.graph.selector:NodeSelector", "build what a refresh needs", takes("graph", "manifest")),
    Part("dbt_common.clients.jinja:template_cache", "compile macros ahead", lambda found: found.get_node_template),
    Part("dbt_common.behavior_flags:BehaviorFlagRendered._default_source", "start dbt sooner", takes()),
    Part("dbt.task.build", "start dbt ahead", inspect.ismodule),
    Part("dbt.compilation:Linker", "let a refresh write less", lambda found: isinstance(found, type)),
    Part("dbt.compilation:Linker.write_graph", "let a refresh write less", takes("self", "outfile", "manifest")),
    Part("dbt.compilation:Compiler", "let a refresh write less", lambda found: isinstance(found, type)),
    Part("dbt.compilation:Compiler._write_node", "let a refresh write less", takes("self", "node", split_suffix=None)),
    Part("dbt.task.runnable:GraphRunnableTask", "let a refresh make no schema", lambda found: isinstance(found, type)),
    Part("dbt.task.runnable:GraphRunnableTask.create_schemas", "let a refresh make no schema", takes("self", "adapter", ["schema"])),
    Part("dbt_common.events.event_manager:EventManager", "log what is read", lambda found: {"loggers", "callbacks"} <= {*vars(found())}),
    Part("dbt_common.events.event_manager:EventManager.fire_event", "log what is read", takes("self", "event", "level", "node")),
    Part("dbt_common.events.base_types:BaseEvent", "log what is read", has("level_tag")),
    Part("dbt_common.events.base_types:EventLevel", "log what is read", has("DEBUG", "TEST")),
    Part("dbt.adapters.contracts.connection:ConnectionState", _POOL, has("OPEN", "CLOSED")),
)


def test_private_parts_of_dbt_are_as_they_were() -> None:
    assert moved("dbt-core", ADAPTER, PARTS) == []


def test_every_private_part_of_dbt_is_looked_at() -> None:
    assert untold(ADAPTER, PARTS) == set()
