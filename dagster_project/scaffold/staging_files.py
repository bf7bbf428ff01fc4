"""The dbt side of a draft: the sources, and for each table a staging model with a file that describes it.

Belongs here: the text of `models/staging/<system>/`. Does not belong here: rules about names (`names`) and types (`ingestion.catalog`).
"""

import json
import re
from collections.abc import Iterator, Mapping

from dagster_project.contracts.raw_columns import BATCH_ID, DELETED_AT, MOVED_FROM, QUARANTINED_AT, SYNCED_AT
from dagster_project.contracts.table import BoundTable, ForeignKey
from dagster_project.scaffold.drafting import Draft
from dagster_project.scaffold.names import quoted, snake_case, staged_names
from dagster_project.scaffold.raw_types import RawTypes
from dagster_project.scaffold.yaml_text import flow_list, scalar

_BATCH_COLUMNS = {BATCH_ID: "batch_id", SYNCED_AT: "synced_at"}
_DESCRIPTIONS = {
    BATCH_ID: "Batch that last wrote the row.",
    SYNCED_AT: "When the row was last written.",
    DELETED_AT: "When a sync found that the source had deleted the row; null for a live row.",
    MOVED_FROM: "Foreign keys that the row had before its present ones, a list of objects; null if they never changed.",
    QUARANTINED_AT: "Since when the row is in quarantine: it breaks a critical rule, or refers to a row that is; null if it is not.",
}
_GROUPS = ("ids", "strings", "numerics", "booleans", "times")
_GROUP_OF_TYPE = {
    "uuid": "ids",
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric", "real", "double precision", "money"), "numerics"),
    "boolean": "booleans",
}


def staging_texts(draft: Draft, types: RawTypes) -> dict[str, str]:
    """Text by file name."""
    contract = draft.contract
    texts = {f"_{contract.system}__sources.yml": "\n".join(_sources(draft))}
    for table in contract.bound_tables():
        model = f"stg_{table.system}__{table.name}"
        texts[f"{model}.sql"] = "\n".join(_sql(table, types.of[table.name]))
        texts[f"{model}.yml"] = "\n".join(_properties(draft, table, types.of[table.name]))
    return texts


def _sources(draft: Draft) -> Iterator[str]:
    contract = draft.contract
    syncs = f"ops.table_syncs where system = '{contract.system}' and table_name = '{{{{ this.identifier }}}}'"
    yield "version: 2"
    yield ""
    yield "sources:"
    yield f"  - name: {contract.system}"
    yield f"    description: {scalar(f'{contract.description} As the last sync left them.')}"
    yield f"    schema: {contract.raw_schema}"
    yield "    config:"
    yield (
        f"      # A row's {SYNCED_AT} moves only when the row changes, so freshness asks when the table was last compared with its source."
    )
    yield "      loaded_at_query: >"
    yield f"        select max(synced_at) from {syncs}"
    yield "      freshness:"
    yield f"        warn_after: {{count: {contract.freshness.warn_after_hours:g}, period: hour}}"
    yield f"        error_after: {{count: {contract.freshness.error_after_hours:g}, period: hour}}"
    yield "    tables:"
    for table in contract.bound_tables():
        yield f"      - name: {scalar(table.name)}"
        yield f"        description: {scalar(table.declared.description)}"
        yield "        columns:"
        for column in (*table.columns, *_DESCRIPTIONS):
            yield f"          - name: {scalar(column)}"
            yield f"            description: {scalar(_description(draft, table, column))}"
    yield ""


def _properties(draft: Draft, table: BoundTable, types: Mapping[str, str]) -> Iterator[str]:
    staged = _staged(table)
    yield "version: 2"
    yield ""
    yield "models:"
    yield f"  - name: stg_{table.system}__{table.name}"
    yield f"    description: {scalar(f'Live rows. {table.declared.description}')}"
    if table.key:
        yield "    data_tests:"
        yield "      - keyed_as_raw:"
        yield "          description: \"{{ doc('keyed_as_raw') }}\""
        yield "          arguments:"
        yield f"            raw: source('{table.system}', '{table.name}')"
        yield flow_list("            columns", table.key)
    yield "    columns:"
    for columns in _grouped(table, types).values():
        for column in columns:
            yield f"      - name: {scalar(staged[column])}"
            yield f"        description: {scalar(_description(draft, table, column))}"
    yield ""


def _sql(table: BoundTable, types: Mapping[str, str]) -> Iterator[str]:
    staged = _staged(table)
    groups = _grouped(table, types)
    last = [column for columns in groups.values() for column in columns][-1]
    yield "with source as ("
    yield ""
    yield f"    {{{{ live_rows(source('{table.system}', '{table.name}')) }}}}"
    yield ""
    yield "),"
    yield ""
    yield "renamed as ("
    yield ""
    yield "    select"
    for number, (group, columns) in enumerate(groups.items()):
        yield from ("",) * (number > 0)
        yield f"        -- {group}"
        for column in columns:
            name = column if quoted(column) == column else f"adapter.quote({json.dumps(column, ensure_ascii=False)})"
            value = column if name == column else f"{{{{ {name} }}}}"
            if types.get(column) == "json":
                # A value that cannot be read as json is null in staging, and a check counts it.
                value = f"{{{{ json_or_null({json.dumps(column) if name == column else name}) }}}}"
            yield f"        {value if value == staged[column] else f'{value} as {staged[column]}'}{'' if column == last else ','}"
    yield "    from source"
    yield ""
    yield ")"
    yield ""
    yield "select * from renamed"
    yield ""


def _staged(table: BoundTable) -> dict[str, str]:
    return {**staged_names(table.columns, _BATCH_COLUMNS.values()), **_BATCH_COLUMNS}


def _grouped(table: BoundTable, types: Mapping[str, str]) -> dict[str, list[str]]:
    """Columns by group, in the order of the groups; a group without columns is not there."""
    groups: dict[str, list[str]] = {group: [] for group in _GROUPS}
    for column in table.columns:
        groups[_group(table, column, types[column])].append(column)
    groups["ids"].append(BATCH_ID)
    groups["times"].append(SYNCED_AT)
    return {group: columns for group, columns in groups.items() if columns}


def _group(table: BoundTable, column: str, raw_type: str) -> str:
    if re.match(r"(timestamp|time|date)\b(?!.*\[\])", raw_type):
        return "times"
    if column in table.key or column in table.declared.referring_columns or snake_case(column).endswith(("_id", "_uuid")):
        return "ids"
    return _GROUP_OF_TYPE.get(raw_type, "strings")


def _description(draft: Draft, table: BoundTable, column: str) -> str:
    if column in _DESCRIPTIONS:
        return _DESCRIPTIONS[column]
    if (table.name, column) in draft.comments:
        return draft.comments[table.name, column]
    if table.key == (column,):
        return f"Key of {table.name}."
    if column in table.key:
        return f"Part of the key of {table.name}."
    reference = next((each for each in table.declared.references if column in each.columns), None)
    if reference:
        return _reference_description(reference, column)
    return f"Column {column} of the source."


def _reference_description(reference: ForeignKey, column: str) -> str:
    referred = f"Refers to {reference.parent}.{reference.parent_columns[reference.columns.index(column)]}"
    others = [other for other in reference.columns if other != column]
    return f"{referred}, together with {' and '.join(others)}." if others else f"{referred}."
