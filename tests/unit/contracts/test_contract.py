"""The source contract: any mistake in a file ends with the file, the line and the name of what is wrong."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.contracts.loading import ContractError, load_contract, load_contracts
from dagster_project.settings import SOURCES_ROOT

_GOOD = """\
type: dagster_project.components.source_system.SourceSystem
attributes:
  system: small
  description: A source made for tests.
  freshness: {warn_after_hours: 1, error_after_hours: 2}
  tables:
    parent:
      description: Parents.
      key: [parent_id]
      columns: [parent_id,
        name]
    child:
      description: Children.
      schema: other
      source_name: Child Rows
      key: [child_id]
      columns:
        - child_id
        - parent_id
      foreign_keys: {parent_id: parent.parent_id}
      indexes:
        - columns: [parent_id]
        - {columns: [parent_id], where: child_id > 7}
      composite_foreign_keys:
        - {columns: [parent_id, child_id], parent: parent, parent_columns: [parent_id, name]}
        - columns: [child_id, parent_id]
          parent: child
          parent_columns: [parent_id, child_id]
"""

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a contract of the system `small`."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "small" / "defs.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_good_contract_says_what_it_declares(write: Write) -> None:
    contract = load_contract(write(_GOOD))
    assert contract.raw_schema == "raw_small"
    assert [table.source.strings for table in contract.bound_tables()] == [
        ("public", "parent"),
        ("other", "Child Rows"),
    ]
    child = contract.table("child")
    assert (child.raw.strings, child.raw_name, child.loading.strings) == (
        ("raw_small", "child"),
        "raw_small.child",
        ("loading_small", "child"),
    )
    assert contract.tables["child"].columns == ("child_id", "parent_id")
    assert [(each.columns, each.parent, each.parent_columns) for each in contract.tables["child"].references] == [
        (("parent_id",), "parent", ("parent_id",)),
        (("parent_id", "child_id"), "parent", ("parent_id", "name")),
        (("child_id", "parent_id"), "child", ("parent_id", "child_id")),
    ]
    assert contract.tables["child"].referring_columns == ("parent_id", "child_id")
    assert contract.tables["parent"].references == ()


def test_the_contracts_of_the_project_are_named_like_their_folders() -> None:
    assert list(load_contracts()) == sorted(path.parent.name for path in SOURCES_ROOT.glob("*/defs.yaml"))


# What is wrong: replaced text, its replacement, the line that must be named, what the message must say.
MISTAKES = {
    "syntax": ("key: [child_id]", "key: [child_id", 17, "not valid YAML"),
    "tab": ("      schema: other", "\tschema: other", 14, "not valid YAML"),
    "unknown field": ("schema: other", "scheme: other", 14, r"tables\.child\.scheme"),
    "unknown field of the system": ("  system: small", "  system: small\n  tennants: 3", 4, "tennants"),
    "missing field": ("      description: Children.\n", "", 12, r"tables\.child\.description: Field required"),
    "unknown foreign table": ("parent.parent_id}", "elder.parent_id}", 20, "table 'elder' is not declared; declared are: parent, child"),
    "unknown foreign column": ("parent.parent_id}", "parent.id}", 20, "column 'id' is not among the columns of 'parent'"),
    "foreign key of no column": ("{parent_id: parent", "{elder_id: parent", 20, "column 'elder_id' is not among"),
    "foreign key without column": ("parent.parent_id}", "parent}", 20, r"foreign_keys\.parent_id"),
    "duplicate column": ("        - parent_id\n", "        - parent_id\n        - child_id\n", 20, "column 'child_id' is listed twice"),
    "duplicate key column": ("key: [parent_id]", "key: [parent_id, parent_id]", 9, "column 'parent_id' is listed twice"),
    "duplicate table": ("    child:", "    parent:", 12, "'parent' is declared twice"),
    "duplicate field": ("      schema: other", "      schema: other\n      schema: another", 15, "'schema' is declared twice"),
    "key that is not read": ("key: [child_id]", "key: [id]", 16, "key column 'id' is not among"),
    "no key": ("key: [child_id]", "key: []", 16, r"tables\.child\.key"),
    "batch column": ("        name]", "        name, _batch_id]", 11, "'_batch_id' has the name of one that every raw table gets"),
    "other folder": ("system: small", "system: large", 3, "'large' must equal the name of its folder, 'small'"),
    "unknown capture": ("  system: small", "  system: small\n  capture: guess", 4, "capture"),
    "reversed freshness": ("error_after_hours: 2", "error_after_hours: 0.5", 5, "must not be less than warn_after_hours"),
    "negative freshness": ("warn_after_hours: 1", "warn_after_hours: -1", 5, "greater than 0"),
    "text for a list": ("key: [child_id]", "key: child_id", 16, r"tables\.child\.key"),
    "no attributes": ("attributes:", "attributs:", 1, "needs the two entries 'type' and 'attributes'"),
    "relation read twice": (
        "      schema: other\n      source_name: Child Rows",
        "      source_name: parent",
        14,
        r"tables\.child\.source_name: public\.parent is what 'parent' reads already; keep one of them",
    ),
    "relation read twice under its own name": (
        "name]\n    child:\n      description: Children.\n      schema: other\n      source_name: Child Rows",
        "name]\n      source_name: child\n    child:\n      description: Children.",
        13,
        r"tables\.child: public\.child is what 'parent' reads already; keep one of them",
    ),
    "index of no column": ("columns: [parent_id], where", "columns: [elder_id], where", 23, "column 'elder_id' is not among"),
    "index without columns": ("columns: [parent_id], where", "columns: [], where", 23, r"tables\.child\.indexes\.1\.columns"),
    "duplicate index": (", where: child_id > 7", "", 23, "the index is declared twice"),
    "composite foreign key of no column": (
        "columns: [parent_id, child_id], p",
        "columns: [parent_id, elder_id], p",
        25,
        "'elder_id' is not among",
    ),
    "composite foreign key to no table": (
        "parent: parent, p",
        "parent: elder, p",
        25,
        "table 'elder' is not declared; declared are: parent, child",
    ),
    "composite foreign key to no column": (
        "parent_columns: [parent_id, name]",
        "parent_columns: [parent_id, id]",
        25,
        "'id' is not among the columns of 'parent'",
    ),
    "composite foreign key of one column": (
        "columns: [parent_id, child_id], parent: parent, parent_columns: [parent_id, name]",
        "columns: [parent_id], parent: parent, parent_columns: [parent_id]",
        25,
        r"composite_foreign_keys\.0: it has one column; say foreign_keys: \{parent_id: parent\.parent_id\}",
    ),
    "composite foreign key to fewer columns": (
        "parent_columns: [parent_id, name]",
        "parent_columns: [parent_id]",
        25,
        "2 columns cannot refer to 1 parent_columns; name one for each",
    ),
    "composite foreign key with a column twice": (
        "columns: [parent_id, child_id], p",
        "columns: [parent_id, parent_id], p",
        25,
        "'parent_id' is listed twice in columns",
    ),
    "composite foreign key twice": (
        "columns: [child_id, parent_id]",
        "columns: [parent_id, child_id]",
        26,
        "the foreign key of parent_id, child_id is declared twice",
    ),
    "composite foreign key without its table": ("          parent: child\n", "", 26, r"composite_foreign_keys\.1\.parent: Field required"),
    "empty source name": ("source_name: Child Rows", "source_name: ''", 15, r"tables\.child\.source_name"),
    "value that is none of its type": ("schema: other", "schema: 2026-13-13", 1, "not valid YAML: month must be in 1..12"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_with_file_and_line(write: Write, mistake: str) -> None:
    old, new, line, message = MISTAKES[mistake]
    assert _GOOD.count(old) == 1
    path = write(_GOOD.replace(old, new))
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert re.fullmatch(rf"{re.escape(str(path))}:{line}: .*{message}.*", str(caught.value)), str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"\xff\xfe\x00", b"a: \x00\n", b"a: !!python/object:os.system {}\n", b"&a [*a]\n"])
def test_file_that_is_no_contract_is_one_line(write: Write, content: bytes) -> None:
    path = write(content)
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert re.fullmatch(rf"{re.escape(str(path))}:1: .+", str(caught.value))


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"defs\.yaml: there is no contract"):
        load_contract(tmp_path / "defs.yaml")


def test_every_mistake_of_a_file_is_told_at_once(write: Write) -> None:
    path = write(_GOOD.replace("key: [child_id]", "key: [id]").replace("system: small", "system: large"))
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["3", "16"]


_SYNTHETIC = yaml.safe_load(_GOOD)
# A table that refers to itself and is called otherwise refers to one that is not there.
_SYNTHETIC["attributes"]["tables"]["child"]["composite_foreign_keys"].pop()


def _keys(node: object, where: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict):
        return []
    return [path for key, value in node.items() for path in ((*where, key), *_keys(value, (*where, key)))]


# Without these a contract says something else, but nothing wrong.
_OPTIONAL = {"schema", "source_name", "foreign_keys", "composite_foreign_keys", "indexes"}
_FIXED = [path for path in _keys(_SYNTHETIC["attributes"]) if path[-1] not in _OPTIONAL and "foreign_keys" not in path]


def _written(tree: dict[str, Any], where: tuple[str, ...]) -> tuple[str, int]:
    """The document as YAML and the line of an entry in it, found by its indentation."""
    text = yaml.safe_dump(tree, sort_keys=False, default_flow_style=False)
    lines, found = text.splitlines(), -1
    for depth, key in enumerate(("attributes", *where)):
        found = next(n for n in range(found + 1, len(lines)) if lines[n].startswith("  " * depth + f"{key}:"))
    return text, found + 1


@given(where=st.sampled_from(_FIXED), name=st.none() | st.from_regex(r"[a-z]{3,8}_zz", fullmatch=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_dropped_or_renamed_entry_is_an_error_at_its_line(write: Write, where: tuple[str, ...], name: str | None) -> None:
    """A dropped entry is reported at its parent, a renamed one at itself or, as missing, at its parent."""
    tree = copy.deepcopy(_SYNTHETIC)
    parent = tree["attributes"]
    for key in where[:-1]:
        parent = parent[key]
    renamed = [(name if key == where[-1] else key, value) for key, value in parent.items() if name or key != where[-1]]
    parent.clear()
    parent.update(renamed)
    if where[:-1] == ("tables",) and where[-1] != "parent":
        # No other table refers to this one: a contract without it, or with it under another name, is a good one.
        load_contract(write(yaml.safe_dump(tree)))
        return
    if where == ("tables", "parent"):
        text, line = _written(tree, ("tables", "child", "foreign_keys", "parent_id"))
    else:
        text, line = _written(tree, (*where[:-1], name) if name else where[:-1])
    path = write(text)
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert line in [int(message.split(":")[1]) for message in str(caught.value).splitlines()], str(caught.value)


_LISTING = """\
type: dagster_project.components.source_system.SourceSystem
attributes:
  system: control
  description: Who there is.
  freshness: {warn_after_hours: 1, error_after_hours: 2}
  tables:
    customers:
      description: Customers.
      key: [id]
      columns: [id, title, is_active]
"""
_TENANTS = "  tenants: {listed_in: control.customers, id: id, name: title, url: database_url, is_active: is_active}\n"
_OF_TENANTS = _GOOD.replace("  tables:\n", f"{_TENANTS}  tables:\n", 1)


def write_both(root: Path, listing: str, of_tenants: str) -> None:
    """Contracts of a system that lists tenants, and of one that has them."""
    for system, content in (("control", listing), ("small", of_tenants)):
        (root / system).mkdir()
        (root / system / "defs.yaml").write_text(content, encoding="utf-8")


def test_system_with_tenants_says_where_they_are_listed(tmp_path: Path) -> None:
    write_both(tmp_path, _LISTING, _OF_TENANTS)
    contracts = load_contracts(tmp_path)
    tenants = contracts["small"].tenants
    assert tenants is not None
    assert (tenants.system, tenants.table, tenants.url) == ("control", "customers", "database_url")
    assert contracts["control"].tenants is None


@pytest.mark.parametrize(
    ("listing", "of_tenants", "message"),
    [
        (
            ("", ""),
            ("control.customers", "elsewhere.customers"),
            r"tenants\.listed_in: 'elsewhere.customers' is no table of another system",
        ),
        (("", ""), ("control.customers", "control.guests"), r"tenants\.listed_in: 'control.guests' is no table of another system"),
        (("", ""), ("control.customers", "small.parent"), r"tenants\.listed_in: 'small' has tenants itself"),
        (
            ("[id, title, is_active]", "[id, title]"),
            ("", ""),
            r"tenants\.is_active: column 'is_active' is not among the columns of control.customers",
        ),
        (("", ""), ("id: id", "id: name"), r"tenants\.id: column 'name' is not among the columns of control.customers"),
        (
            ("[id, title, is_active]", "[id, title, is_active, database_url]"),
            ("", ""),
            r"tenants\.url: column 'database_url' is read into the warehouse",
        ),
    ],
)
def test_mistake_about_tenants_names_its_line(tmp_path: Path, listing: tuple[str, str], of_tenants: tuple[str, str], message: str) -> None:
    write_both(tmp_path, _LISTING.replace(*listing), _OF_TENANTS.replace(*of_tenants))
    with pytest.raises(ContractError, match=f"small/defs.yaml:6: {message}"):
        load_contracts(tmp_path)


_FILES = """\
type: dagster_project.components.source_system.SourceSystem
attributes:
  system: small
  description: A source made for tests.
  freshness: {warn_after_hours: 1, error_after_hours: 2}
  tenants: {listed_in: control.customers, id: id, name: name, url: database_url, is_active: is_active}
  tables:
    files:
      description: Files.
      key: [id]
      columns: [id, place, digest, bytes]
      storage:
        path: place
        digest: digest
        size: bytes
        prefix: files/{tenant}/of-runs/
"""
_WITHOUT_TENANTS = "\n".join(line for line in _FILES.splitlines() if "tenants:" not in line)


def test_files_begin_with_the_folder_of_their_tenant(write: Write) -> None:
    storage = load_contract(write(_FILES)).tables["files"].storage
    assert storage is not None
    assert (storage.path, storage.digest, storage.size) == ("place", "digest", "bytes")
    assert storage.prefix_of("acme") == "files/acme/of-runs/"


def test_files_of_a_system_without_tenants_begin_with_the_storage(write: Write) -> None:
    storage = load_contract(write(_WITHOUT_TENANTS.replace("files/{tenant}/of-runs/", "files/"))).tables["files"].storage
    assert storage is not None
    assert storage.prefix_of(None) == "files/"


FILE_MISTAKES = {
    "no column of paths": (_FILES, "path: place", "path: file", 13, r"path: column 'file' is not among the table's columns"),
    "no column of digests": (_FILES, "digest: digest", "digest: sum", 14, r"digest: column 'sum' is not among the table's columns"),
    "no column of sizes": (_FILES, "size: bytes", "size: size", 15, r"size: column 'size' is not among the table's columns"),
    "missing column": (_FILES, "        size: bytes\n", "", 12, r"size: Field required"),
    "unknown field": (_FILES, "size: bytes", "size: bytes\n        body: bytes", 16, r"body: Extra inputs"),
    "no tenant in the prefix": (_FILES, "{tenant}/", "", 16, "the files of all tenants would begin alike"),
    "tenant of a system without": (_WITHOUT_TENANTS, "id, place", "id, place", 15, r"\{tenant\} stands for nothing: small has no tenants"),
    "no key": (_FILES, "key: [id]", "key: []\n      without_key: replace", 13, "the table has no key by which"),
    "no slash at the end": (_FILES, "of-runs/", "of-runs", 16, "String should match pattern"),
    "whole path": (_FILES, "prefix: files", "prefix: /files", 16, "String should match pattern"),
    "way up": (_FILES, "of-runs", "..", 16, "String should match pattern"),
    "dot": (_FILES, "of-runs", "of.runs", 16, "String should match pattern"),
    "unknown name": (_FILES, "{tenant}", "{run}", 16, "String should match pattern"),
    "tenant in a part": (_FILES, "{tenant}", "x{tenant}", 16, "String should match pattern"),
    "tenant as the storage": (_FILES, "files/{tenant}/of-runs/", "'{tenant}/'", 16, "String should match pattern"),
}


@pytest.mark.parametrize("mistake", FILE_MISTAKES)
def test_mistake_about_files_names_its_line(write: Write, mistake: str) -> None:
    good, old, new, line, message = FILE_MISTAKES[mistake]
    assert good.count(old) == 1
    path = write(good.replace(old, new))
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert re.fullmatch(rf"{re.escape(str(path))}:{line}: tables\.files\.storage.*({message}).*", str(caught.value)), str(caught.value)


_HANDED_OVER = "  handed_over: {tenants_of: small, tenant: id, marts: {guests: guests_of_tenant}, told_in: guests}\n"
_GUESTS = "    guests: {description: Guests., key: [id], columns: [id]}\n"
_RECEIVING = _LISTING.replace("  tables:\n", f"{_HANDED_OVER}  tables:\n{_GUESTS}", 1)


def test_system_that_gets_what_tenants_hand_over_says_of_which(tmp_path: Path) -> None:
    write_both(tmp_path, _RECEIVING, _OF_TENANTS)
    handed_over = load_contracts(tmp_path)["control"].handed_over
    assert handed_over is not None
    assert (handed_over.tenants_of, handed_over.tenant, handed_over.marts) == ("small", "id", {"guests": "guests_of_tenant"})


@pytest.mark.parametrize(
    ("correct", "mistake", "message"),
    [
        ("tenants_of: small", "tenants_of: control", r"handed_over\.tenants_of: 'control' is no system with tenants"),
        ("tenants_of: small", "tenants_of: elsewhere", r"handed_over\.tenants_of: 'elsewhere' is no system with tenants"),
        ("told_in: guests", "told_in: nowhere", r"handed_over\.told_in: table 'nowhere' is not declared"),
        ("{guests: guests_", "{nobody: guests_", r"handed_over\.marts\.nobody: table 'nobody' is not declared"),
        ("tenant: id", "tenant: name", r"handed_over\.told_in: the key of 'guests' has no column 'name', which says whose a row is"),
    ],
)
def test_mistake_about_what_is_handed_over_names_its_line(tmp_path: Path, correct: str, mistake: str, message: str) -> None:
    write_both(tmp_path, _RECEIVING.replace(correct, mistake), _OF_TENANTS)
    with pytest.raises(ContractError, match=f"control/defs.yaml:6: {message}"):
        load_contracts(tmp_path)
