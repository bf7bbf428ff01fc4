"""Where dbt's behavior flags come from.

dbt looks through every frame and module of its process for the package that brought a flag, for each flag at each start, and needs it for
one message only. That takes 0.1 s a flag in a process of its own, and seconds in one that holds Dagster too.

Belongs here: saying it without a look. Does not belong here: what the flags are set to (`dbt_project.yml`).
"""

from dbt_common.behavior_flags import BehaviorFlagRendered

_ADAPTER = "dbt.adapters.postgres.impl"


def name_source_of_flags() -> None:
    """Let all flags count as the adapter's, which is what brings them."""
    BehaviorFlagRendered._default_source = staticmethod(lambda: _ADAPTER)  # type: ignore[method-assign]  # noqa: SLF001
