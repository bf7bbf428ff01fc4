"""Which marts a verification is of.

Belongs here: reading the arguments of the command. Does not belong here: holding marts against raw (`defs.verification`).
"""

from collections.abc import Sequence

from dagster_project.resources.manifest import load_plan
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such


def known_marts(names: Sequence[str]) -> list[str]:
    """The marts named, with or without their schema.

    Raises:
        ConfigurationError: A name is not that of a mart that refreshes recompute.
    """
    known = [mart.name for mart in load_plan().marts]
    marts = [name.removeprefix("analytics.") for name in names]
    for unknown in (mart for mart in marts if mart not in known):
        raise ConfigurationError(no_such("mart", unknown, known))
    return marts
