"""The graph of asset groups in the UI: a group is a layer of a system, and every arrow goes forward, so there is no way back."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dagster_project.definitions import definitions_of
from dagster_project.resources.share import namespaces, share_of
from dagster_project.warehouse import Namespace, shared_part
from tests.dbt_manifest import models_of

# From left to right: the folders of dbt's models between what they read and what publishes them.
LAYERS = ("sources", "staging", "intermediate", "marts", "publication")


@dataclass(frozen=True)
class Asset:
    """An asset: its group, its layer and system, and the assets that it reads."""

    group: str
    layer: str
    system: str
    reads: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[int, bool]:
        """How far to the right it stands; within a layer, what systems share stands behind what is theirs alone."""
        return LAYERS.index(self.layer), self.system == "shared"


Assets = Mapping[str, Asset]


@pytest.fixture(scope="module", params=namespaces(), ids=lambda namespace: namespace.name or "default")
def assets(request: pytest.FixtureRequest) -> Assets:
    """What Dagster loads for one warehouse, by names without those of their namespace.

    Layer and system of a model are its folders; else what reads nothing is a source, and what reads publishes.
    """
    namespace: Namespace = request.param
    models = models_of({**share_of(namespace).manifest})
    folders = {f"{node['schema']}/{name}": Path(node["path"]).parts[:2] for name, node in models.items()}
    found = {}
    for node in definitions_of(namespace).resolve_asset_graph().asset_nodes:
        name, reads = "/".join(shared_part(node.key.path)), frozenset("/".join(shared_part(parent.path)) for parent in node.parent_keys)
        layer, system = folders.pop(name, (LAYERS[-1] if reads else LAYERS[0], name.partition("/")[0]))
        found[name] = Asset(node.group_name.removeprefix(namespace.label("")), layer, system, reads)
    assert folders == {}
    return found


def mixed(assets: Assets) -> set[str]:
    """Groups with assets of several layers or systems, and groups that are not alone with a layer of a system."""
    places, groups = defaultdict(set), defaultdict(set)
    for asset in assets.values():
        places[asset.group].add((asset.layer, asset.system))
        groups[asset.layer, asset.system].add(asset.group)
    return {group for group, found in places.items() if len(found) > 1 or any(len(groups[place]) > 1 for place in found)}


def arrows(assets: Assets) -> set[tuple[str, str]]:
    """What the UI draws between groups."""
    drawn = {(assets[read].group, asset.group) for asset in assets.values() for read in asset.reads}
    return {(start, end) for start, end in drawn if start != end}


def not_forward(assets: Assets) -> set[tuple[str, str]]:
    """Arrows that do not go to the right; where there are none, no arrows make a circle."""
    places = {asset.group: asset.place for asset in assets.values()}
    return {(start, end) for start, end in arrows(assets) if places[start] >= places[end]}


def test_a_group_is_a_layer_of_a_system(assets: Assets) -> None:
    assert mixed(assets) == set()
    assert {asset.layer for asset in assets.values()} == {*LAYERS}


def test_a_group_has_the_name_of_its_system_and_its_layer(assets: Assets) -> None:
    ends = {"sources": "{system}", "publication": "publication"}
    named = {
        name: ends.get(asset.layer, "{system}_{layer}").format(system=asset.system, layer=asset.layer) for name, asset in assets.items()
    }
    assert {name: asset.group for name, asset in assets.items()} == named


def test_every_arrow_goes_forward_from_sources_to_the_publication(assets: Assets) -> None:
    assert not_forward(assets) == set()
    layers = {asset.group: asset.layer for asset in assets.values()}
    starts, ends = zip(*arrows(assets), strict=True)
    assert {layers[group] for group in starts} == {*LAYERS[:-1]}
    assert {layers[group] for group in ends} == {*LAYERS[1:]}


SHOP = {
    "table": Asset("shop", "sources", "shop"),
    "model": Asset("shop_staging", "staging", "shop", frozenset({"table"})),
    "mart": Asset("shop_marts", "marts", "shop", frozenset({"model"})),
    "calendar": Asset("shared_marts", "marts", "shared", frozenset({"mart"})),
}


def reading(name: str, read: str) -> Assets:
    """The shop, where one asset reads one more."""
    return {**SHOP, name: replace(SHOP[name], reads=SHOP[name].reads | {read})}


def test_groups_of_a_shop_are_accepted() -> None:
    assert (mixed(SHOP), not_forward(SHOP)) == (set(), set())
    assert arrows(SHOP) == {("shop", "shop_staging"), ("shop_staging", "shop_marts"), ("shop_marts", "shared_marts")}


@pytest.mark.parametrize(
    ("name", "read", "back"),
    [("model", "mart", ("shop_marts", "shop_staging")), ("mart", "calendar", ("shared_marts", "shop_marts"))],
)
def test_an_arrow_back_is_seen(name: str, read: str, back: tuple[str, str]) -> None:
    assert not_forward(reading(name, read)) == {back}


def test_marts_of_two_systems_that_read_each_other_are_seen() -> None:
    bakery = {"bread": Asset("bakery_marts", "marts", "bakery", frozenset({"mart"}))}
    assert not_forward({**SHOP, **bakery}) == {("shop_marts", "bakery_marts")}


def test_a_group_of_two_layers_and_a_layer_of_two_groups_are_seen() -> None:
    assert mixed({**SHOP, "calendar": replace(SHOP["calendar"], group="shop_marts")}) == {"shop_marts"}
    assert mixed({**SHOP, "second": replace(SHOP["model"], group="others")}) == {"shop_staging", "others"}
