"""Which marts a verification is of.

Belongs here: reading the arguments of the command. Does not belong here: holding marts against raw (`defs.verification`).
"""

from collections.abc import Sequence

from dagster_project.marts.lineage import MART
from dagster_project.marts.plan import VIEW
from dagster_project.resources.share import share_of
from dagster_project.settings import ConfigurationError
from dagster_project.suggestions import no_such
from dagster_project.warehouse import DEFAULT


def known_marts(names: Sequence[str]) -> list[str]:
    """The marts named, with or without their schema, and what they are made of as far as it is kept; of a view the marts that it shows.

    Raises:
        ConfigurationError: A name is not that of a mart that refreshes recompute, nor of a view on such.
    """
    plan = share_of(DEFAULT).plan
    known = [model.name for model in plan.project.of_kind(MART, VIEW)]
    marts = [name.rpartition(".")[2] for name in names]
    for unknown in (mart for mart in marts if mart not in known):
        raise ConfigurationError(no_such("mart", unknown, known))
    return [model.name for model in plan.published_with(marts) if model.kind == MART]
