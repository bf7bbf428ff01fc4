"""Stopping dbt's parse where a mart does not say what an engine must know of it.

Belongs here: handing dbt's manifest over, and its kind of error. Does not belong here: what must be said (`dagster_project.marts`).
"""

import os

from dbt.contracts.graph.manifest import Manifest
from dbt.exceptions import ParsingError

from dbt_runmart.starting import REFRESH

_PROJECT = "runmart"


def require_plan(manifest: Manifest) -> None:
    """Do nothing if it is known how the marts of the project are refreshed; a refresh that has begun knows.

    Raises:
        ParsingError: It is not; the message names the mart and what to declare.
    """
    if manifest.metadata.project_name != _PROJECT or REFRESH in os.environ:
        return
    # They take half a second, which a refresh would wait for.
    from dagster_project.contracts.loading import load_contracts  # noqa: PLC0415
    from dagster_project.errors import RunmartError  # noqa: PLC0415
    from dagster_project.marts.lineage import read_project  # noqa: PLC0415
    from dagster_project.marts.plan import make_plan  # noqa: PLC0415

    try:
        make_plan(read_project(manifest.writable_manifest().to_dict(omit_none=False)), load_contracts())
    except RunmartError as error:
        raise ParsingError(str(error)) from error
