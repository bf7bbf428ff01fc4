"""Where the project is, and where a home is if the environment says so.

Belongs here: what a command must know before it imports anything, so with the standard library alone. Does not belong here: all else that a
user may set (`settings`), and what lies in a home.
"""

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DOTENV = PROJECT_ROOT / ".env"
HOME_VARIABLE = "RUNMART_HOME"

# Says to a run's own dbt where a process waits that was started ahead for it; no user sets it.
DBT_AHEAD_VARIABLE = "RUNMART_DBT_AHEAD"


def home_folder(value: str | None) -> Path:
    """The home that the variable says, or the default one if it says nothing.

    Raises:
        RuntimeError: No home folder is known for a `~` in it.
    """
    return Path(value or PROJECT_ROOT / ".runmart").expanduser().resolve()
