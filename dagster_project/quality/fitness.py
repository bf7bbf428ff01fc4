"""Whether a mart is fit for publication: a mart that fails a critical check stands as it was published.

Belongs here: the check of each mart that says so, and its verdict. Does not belong here: what else cannot be published then (`marts.plan`),
and raw tables (`holding`).
"""

from psycopg2.extensions import cursor as Cursor

from dagster_project.quality import verdicts
from dagster_project.quality.suites import Severity, Suite

# In Dagster. The publication waits for it, and so for all checks that are asked with it.
CHECK = "is_fit_for_publication"


def failing(cursor: Cursor, suite: Suite) -> list[str]:
    """The critical checks that a mart fails, or that could not be asked, as its verdicts stand."""
    last = verdicts.last(cursor, "/".join(suite.asset_key))
    critical = (expectation.meta.check for expectation in suite.expectations if expectation.severity is Severity.CRITICAL)
    return [check for check in critical if check in last and not last[check].is_success]
