"""An asset that a step could not bring up to date, while its others are.

Belongs here: the one private part of Dagster that says so. Does not belong here: which assets these are. A step must give a result for each
of its assets, or all steps downstream are skipped, and each result is told as a materialization. Dagster leaves that out for results with a
mark of its own, made for observed assets; `tests/integration/runs/test_standing.py` fails when it no longer does.
"""

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION


def left_alone(asset: dg.AssetKey) -> dg.MaterializeResult[None]:
    """A result that lets what is downstream go on, and says nothing of the asset."""
    return dg.MaterializeResult(asset_key=asset, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})
