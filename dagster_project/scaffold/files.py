"""The files of a new system: all of them, or none.

Belongs here: where they go, and that nothing is ever overwritten. Does not belong here: their text (`contract_file`, `staging_files`,
`suite_files`).
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from dagster_project.contracts.loading import load_contract
from dagster_project.quality.suites import Suite, load_suites
from dagster_project.scaffold.contract_file import contract_text
from dagster_project.scaffold.drafting import Draft, ScaffoldError
from dagster_project.scaffold.raw_types import RawTypes
from dagster_project.scaffold.staging_files import staging_texts
from dagster_project.scaffold.suite_files import suites

_CONTRACT = Path("dagster_project/defs/sources")
_STAGING = Path("dbt_project/models/staging")
_SUITES = Path("expectations")


def folders_of(system: str) -> tuple[Path, ...]:
    """The folders of a system: its contract, its staging models and its suites, from the root of the project."""
    return tuple(parent / system for parent in (_CONTRACT, _STAGING, _SUITES))


def refuse_existing(system: str, root: Path) -> None:
    """Refuse a system that is there already, wholly or in part.

    Raises:
        ScaffoldError: Names the first file that would be in the way.
    """
    for folder in folders_of(system):
        if (root / folder).exists():
            found = next((path for path in sorted((root / folder).rglob("*")) if path.is_file()), root / folder)
            raise ScaffoldError(
                f"{found.relative_to(root)} exists, and nothing is overwritten: choose another --system, or remove all files of {system!r}"
            )


def texts(draft: Draft, types: RawTypes) -> dict[Path, str]:
    """Every file of the system by its path from the root of the project."""
    contract_folder, staging_folder, suites_folder = folders_of(draft.contract.system)
    return {
        contract_folder / "defs.yaml": contract_text(draft, types),
        **{staging_folder / name: text for name, text in staging_texts(draft, types).items()},
        **{suites_folder / f"{suite.table}.json": _document(suite) for suite in suites(draft, types)},
    }


def _document(suite: Suite) -> str:
    document = suite.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(system: str, files: Mapping[Path, str], root: Path) -> None:
    """Write all files of a system, or none.

    Raises:
        ScaffoldError: Something is in the way.
    """
    refuse_existing(system, root)
    # Beside the places where the files go, so that each folder gets there in one step.
    with tempfile.TemporaryDirectory(prefix=".scaffold-", dir=root) as folder:
        draft = Path(folder)
        for path, text in files.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_text(text, encoding="utf-8")
        load_contract(draft / _CONTRACT / system / "defs.yaml")
        load_suites(draft / _SUITES)
        _move(folders_of(system), draft, root)


def _move(folders: Sequence[Path], origin: Path, root: Path) -> None:
    with ExitStack() as undo:
        for folder in folders:
            (origin / folder).rename(root / folder)
            undo.callback(shutil.rmtree, root / folder)
        undo.pop_all()
