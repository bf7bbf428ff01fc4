"""The folder `defs/`, loaded for one warehouse.

Belongs here: telling each file of it which warehouse that is. Does not belong here: what the files define, and for which warehouses they
are loaded (`definitions`). Dagster hands the tree that it loads to every file; ours knows one thing more.
"""

import warnings
from typing import Self

import dagster as dg

from dagster_project.settings import PROJECT_ROOT
from dagster_project.warehouse import DEFAULT, Namespace


class DefsTree(dg.ComponentTree):
    """The files of `defs/`."""

    namespace: Namespace = DEFAULT

    @classmethod
    def of(cls, namespace: Namespace) -> Self:
        """Load them for a warehouse."""
        tree = cls.for_project(PROJECT_ROOT)
        tree.namespace = namespace
        return tree

    def definitions(self) -> dg.Definitions:
        """What they define. That parts of Dagster are new is no news for users; its own way to load a tree keeps silent too."""
        with warnings.catch_warnings():
            for kind in (dg.BetaWarning, dg.PreviewWarning):
                warnings.simplefilter("ignore", kind)
            return self.build_defs()


def namespace_of(context: dg.ComponentLoadContext) -> Namespace:
    """The warehouse that a file is loaded for; the default one where a tool of Dagster's own loads it."""
    tree = context.component_tree
    return tree.namespace if isinstance(tree, DefsTree) else DEFAULT
