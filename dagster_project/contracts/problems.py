"""What is wrong with a contract although its shape is right.

Belongs here: rules between entries, of one contract or of several, each problem with the place of its entry. Does not belong here: the
shape of single entries (`contract`, `table`), and the lines of a file (`loading`).
"""

from collections.abc import Iterator, Mapping

from dagster_project.contracts import raw_columns
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import ForeignKey, TableContract

# The way to an entry, from `attributes` on.
Location = tuple[str | int, ...]


def problems(contract: SystemContract, folder: str) -> Iterator[tuple[Location, str]]:
    """Where and what; none if the contract keeps all rules.

    Args:
        contract: The contract.
        folder: Name of the folder that it lies in.
    """
    yield from _system_problems(contract, folder)
    yield from _relation_problems(contract)
    for table in contract.bound_tables():
        yield from ((("tables", table.name, *where), what) for where, what in _table_problems(contract, table.declared))


def problems_with_others(contract: SystemContract, others: Mapping[str, SystemContract]) -> Iterator[tuple[Location, str]]:
    """Where and what, of what a contract says of other systems.

    Args:
        contract: The contract.
        others: All contracts by system.
    """
    yield from _tenant_problems(contract, others)
    handed_over = contract.handed_over
    if handed_over and (handed_over.tenants_of not in others or others[handed_over.tenants_of].tenants is None):
        yield ("handed_over", "tenants_of"), f"{handed_over.tenants_of!r} is no system with tenants"


def _tenant_problems(contract: SystemContract, others: Mapping[str, SystemContract]) -> Iterator[tuple[Location, str]]:
    tenants = contract.tenants
    if tenants is None:
        return
    listing = others.get(tenants.system)
    if listing is None or tenants.table not in listing.tables:
        yield ("tenants", "listed_in"), f"{tenants.listed_in!r} is no table of another system; write system.table"
        return
    if listing.tenants is not None:
        yield ("tenants", "listed_in"), f"{tenants.system!r} has tenants itself; name a table that there is once"
    columns = listing.tables[tenants.table].columns
    for entry in ("id", "name", "is_active"):
        if getattr(tenants, entry) not in columns:
            yield ("tenants", entry), f"column {getattr(tenants, entry)!r} is not among the columns of {tenants.listed_in}"
    if tenants.url in columns:
        yield ("tenants", "url"), f"column {tenants.url!r} is read into the warehouse by {tenants.listed_in}; a URL may hold a password"


def _system_problems(contract: SystemContract, folder: str) -> Iterator[tuple[Location, str]]:
    if contract.system != folder:
        yield ("system",), f"{contract.system!r} must equal the name of its folder, {folder!r}"
    if contract.freshness.error_after_hours < contract.freshness.warn_after_hours:
        yield ("freshness",), "error_after_hours must not be less than warn_after_hours"
    if contract.capture == "cdc" and contract.limits.connections < 2:
        yield ("limits", "connections"), "change data capture needs two connections; allow 2, or say capture: horizon"
    yield from _handed_over_problems(contract)


def _handed_over_problems(contract: SystemContract) -> Iterator[tuple[Location, str]]:
    handed_over = contract.handed_over
    if handed_over is None:
        return
    for entry, table in (("told_in", handed_over.told_in), *(("marts", table) for table in handed_over.marts)):
        where = ("handed_over", entry) if entry == "told_in" else ("handed_over", entry, table)
        if table not in contract.tables:
            yield where, f"table {table!r} is not declared; declared are: {', '.join(contract.tables)}"
        elif handed_over.tenant not in contract.tables[table].key:
            yield where, f"the key of {table!r} has no column {handed_over.tenant!r}, which says whose a row is"


def _relation_problems(contract: SystemContract) -> Iterator[tuple[Location, str]]:
    readers: dict[tuple[str, ...], str] = {}
    for table in contract.bound_tables():
        relation = table.source.strings
        reader = readers.setdefault(relation, table.name)
        if reader != table.name:
            where = ("source_name",) if table.declared.source_name else ()
            yield ("tables", table.name, *where), f"{'.'.join(relation)} is what {reader!r} reads already; keep one of them"


def _table_problems(contract: SystemContract, table: TableContract) -> Iterator[tuple[Location, str]]:
    """What is wrong with the entry of a table, by places in it."""
    for listed, names in (("columns", table.columns), ("key", table.key)):
        for index, column in enumerate(names):
            if column in names[:index]:
                yield (listed, index), f"column {column!r} is listed twice"
    yield from _key_problems(table)
    if table.upkeep and (table.upkeep.delete_after_days is None) != (table.upkeep.dated_by is None):
        yield ("upkeep",), "delete_after_days and dated_by, the column that says how old a row is, need each other"
    yield from ((("storage", *where), what) for where, what in _storage_problems(contract, table))
    for index, column in enumerate(table.columns):
        if column in raw_columns.TYPES:
            yield ("columns", index), f"column {column!r} has the name of one that every raw table gets; it cannot be read under this name"
    for where, reference in _located_references(table):
        yield from ((where, what) for what in _foreign_key_problems(contract, table, reference))
    for number in range(len(table.composite_foreign_keys)):
        yield from ((("composite_foreign_keys", number), what) for what in _composite_problems(table, number))
    for number in range(len(table.indexes)):
        yield from ((("indexes", number), what) for what in _index_problems(table, number))


def _key_problems(table: TableContract) -> Iterator[tuple[Location, str]]:
    if not table.key and table.without_key == "reject":
        yield ("key",), "the table has no key; name the columns that identify a row, or say without_key: replace"
    if table.key and table.without_key == "replace":
        yield ("without_key",), "the table has a key; without_key: replace is for tables that have none (key: [])"
    for index, column in enumerate(table.key):
        if column not in table.columns:
            yield ("key", index), f"key column {column!r} is not among the table's columns"


def _storage_problems(contract: SystemContract, table: TableContract) -> Iterator[tuple[Location, str]]:
    storage = table.storage
    if storage is None:
        return
    for entry in ("path", "digest", "size"):
        if getattr(storage, entry) not in table.columns:
            yield (entry,), f"column {getattr(storage, entry)!r} is not among the table's columns"
    if not table.key:
        yield (), "the table has no key by which a row could be known again whose file was read"
    is_of_tenants = "{tenant}" in storage.prefix
    if is_of_tenants and contract.tenants is None:
        yield ("prefix",), f"{{tenant}} stands for nothing: {contract.system} has no tenants"
    if contract.tenants is not None and not is_of_tenants:
        yield ("prefix",), "the files of all tenants would begin alike; say where {tenant} stands"


def _located_references(table: TableContract) -> Iterator[tuple[Location, ForeignKey]]:
    """Each foreign key with the place in the table's entry where it is written."""
    places: list[Location] = [("foreign_keys", column) for column in table.foreign_keys]
    places += [("composite_foreign_keys", number) for number in range(len(table.composite_foreign_keys))]
    return zip(places, table.references, strict=True)


def _foreign_key_problems(contract: SystemContract, table: TableContract, reference: ForeignKey) -> Iterator[str]:
    for column in reference.columns:
        if column not in table.columns:
            yield f"column {column!r} is not among the table's columns"
    if reference.parent not in contract.tables:
        yield f"table {reference.parent!r} is not declared; declared are: {', '.join(contract.tables)}"
        return
    for column in reference.parent_columns:
        if column not in contract.tables[reference.parent].columns:
            yield f"column {column!r} is not among the columns of {reference.parent!r}"


def _composite_problems(table: TableContract, number: int) -> Iterator[str]:
    """What is wrong with the way a foreign key of several columns is written; one of one column has a shorter one."""
    reference = table.composite_foreign_keys[number]
    columns, parent_columns = reference.columns, reference.parent_columns
    if len(columns) == 1:
        yield f"it has one column; say foreign_keys: {{{columns[0]}: {reference.parent}.{parent_columns[0]}}}"
    if len(columns) != len(parent_columns):
        yield f"{len(columns)} columns cannot refer to {len(parent_columns)} parent_columns; name one for each"
    for listed, names in (("columns", columns), ("parent_columns", parent_columns)):
        yield from (f"{column!r} is listed twice in {listed}" for index, column in enumerate(names) if column in names[:index])
    if any(columns == earlier.columns for earlier in table.composite_foreign_keys[:number]):
        yield f"the foreign key of {', '.join(columns)} is declared twice; keep one of them"


def _index_problems(table: TableContract, number: int) -> Iterator[str]:
    index = table.indexes[number]
    if index in table.indexes[:number]:
        yield "the index is declared twice"
    for column in index.columns:
        if column not in table.columns:
            yield f"column {column!r} is not among the table's columns"
