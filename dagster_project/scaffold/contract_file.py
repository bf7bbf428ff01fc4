"""`defs.yaml` of a draft.

Belongs here: the text of the contract. Does not belong here: what it declares (`drafting`).
"""

from collections.abc import Iterator

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable
from dagster_project.scaffold.drafting import Draft
from dagster_project.scaffold.raw_types import RawTypes
from dagster_project.scaffold.yaml_text import flow_list, flow_mapping, scalar


def contract_text(draft: Draft, types: RawTypes) -> str:
    """The contract as a file, with what it leaves out, and why, and what arrives as text, at its top."""
    contract = draft.contract
    return "\n".join(
        (*_preamble(draft, types), *_head(contract), *(line for table in contract.bound_tables() for line in _table(table)), "")
    )


def _preamble(draft: Draft, types: RawTypes) -> Iterator[str]:
    yield f"# What Runmart may read from {draft.contract.system}, and nothing else: a column that is not listed is never read."
    yield "# Drafted from the live database by `runmart source scaffold`; it is yours to edit."
    for title, remarks in (("Left out", draft.left_out), ("Read in doubt", draft.doubtful)):
        if remarks:
            yield f"# {title}:"
            yield from (f"# - {' '.join(f'{remark.name} ({remark.reason})'.split())}" for remark in remarks)
    if types.as_text:
        yield "# As text, because the warehouse cannot hold the type:"
        yield from (f"# - {table}.{column} ({kind})" for (table, column), kind in types.as_text.items())


def _head(contract: SystemContract) -> Iterator[str]:
    freshness = contract.freshness
    yield "type: dagster_project.components.source_system.SourceSystem"
    yield ""
    yield "attributes:"
    yield f"  system: {contract.system}"
    yield f"  description: {scalar(contract.description)}"
    yield f"  capture: {contract.capture}"
    if contract.schema_name != "public":
        yield f"  schema: {scalar(contract.schema_name)}"
    yield f"  freshness: {{warn_after_hours: {freshness.warn_after_hours:g}, error_after_hours: {freshness.error_after_hours:g}}}"
    yield "  tables:"


def _table(table: BoundTable) -> Iterator[str]:
    declared = table.declared
    yield f"    {scalar(table.name)}:"
    if declared.schema_name:
        yield f"      schema: {scalar(declared.schema_name)}"
    if declared.source_name:
        yield f"      source_name: {scalar(declared.source_name)}"
    yield f"      description: {scalar(declared.description)}"
    yield flow_list("      key", table.key)
    if not table.key:
        yield f"      without_key: {declared.without_key}"
    yield flow_list("      columns", table.columns)
    if declared.foreign_keys:
        yield flow_mapping("      foreign_keys", declared.foreign_keys)
    if declared.composite_foreign_keys:
        yield "      composite_foreign_keys:"
    for reference in declared.composite_foreign_keys:
        yield flow_list("        - columns", reference.columns)
        yield f"          parent: {scalar(reference.parent)}"
        yield flow_list("          parent_columns", reference.parent_columns)
