"""Names that keep warehouses apart, and connections whose work is kept or not."""

import itertools

import pytest

from dagster_project.warehouse import DEFAULT, Namespace, NamespaceError, shared_part

NAMES = ["marts", "sync_shop", "raw_shop"]


def test_names_of_the_default_warehouse_are_as_they_are() -> None:
    assert DEFAULT.path("shop", "orders") == ["shop", "orders"]
    assert DEFAULT.label("sync_shop") == "sync_shop"


def test_names_of_another_begin_with_its_own() -> None:
    assert Namespace("acme").path("shop", "orders") == ["acme", "shop", "orders"]
    assert Namespace("acme").label("sync_shop") == "acme__sync_shop"


def test_no_name_of_one_is_a_name_of_another() -> None:
    namespaces = [DEFAULT, *map(Namespace, ("acme", "acme_sync", "acme_sync_shop", "sync"))]
    labels = [namespace.label(name) for namespace, name in itertools.product(namespaces, [*NAMES, "shop"])]
    assert len(set(labels)) == len(labels)


def test_same_asset_of_all_warehouses_shares_the_end_of_its_key() -> None:
    for namespace in (DEFAULT, Namespace("acme")):
        assert shared_part(namespace.path("shop", "orders")) == ("shop", "orders")


@pytest.mark.parametrize("name", ["Acme", "acme__two", "_acme", "acme_", "2nd", "a/b", "a b"])
def test_name_that_could_run_into_others_is_refused(name: str) -> None:
    with pytest.raises(NamespaceError, match=f"a warehouse cannot be called '{name}': take small letters"):
        Namespace(name)
