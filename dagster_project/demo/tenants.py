"""Made-up tenants of the LLM workflow, each with databases and files of its own.

Belongs here: who they are, and filling those that are there. Does not belong here: what each has (`llm_tenant`), and adding tenants, which
the command does as it would for any other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dagster_project.demo.llm_tenant import TenantFillSummary, fill_tenant
from dagster_project.resources.databases import Databases
from dagster_project.resources.tenants import listed_tenants, source_of

SYSTEM = "llm_workflow"


@dataclass(frozen=True)
class DemoTenant:
    """A tenant of the demo.

    Attributes:
        name: What identifies it.
        title: What people call it.
        runs: How many runs it has.
    """

    name: str
    title: str
    runs: int


TENANTS = (
    DemoTenant("aurora", "Aurora Press (made up)", 60),
    DemoTenant("borealis", "Borealis Travel (made up)", 40),
    DemoTenant("cirrus", "Cirrus Foods (made up)", 25),
)


def fill_tenants(databases: Databases, tell: Callable[[str], None]) -> Iterator[tuple[str, TenantFillSummary]]:
    """Write down what is missing of each, in their databases on the embedded server; gives what was added."""
    listed = listed_tenants(databases, SYSTEM)
    for tenant in TENANTS:
        url = source_of(databases, SYSTEM, listed[tenant.name])
        yield tenant.name, fill_tenant(url, tenant.name, databases.settings.home / "storage", tell, tenant.runs)
