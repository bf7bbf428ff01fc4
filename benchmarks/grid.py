"""Tables of words that are shown in the terminal and on a page.

Belongs here: nothing but this. Does not belong here: what stands in them (`report`, `refresh_report`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Column, Table


@dataclass(frozen=True)
class Grid:
    """A table of words."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def for_terminal(self) -> Table:
        """As rich shows it."""
        columns = (Column(name, overflow="fold") for name in self.header)
        table = Table(*columns, title=self.title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for row in self.rows:
            table.add_row(*row)
        return table

    def as_markdown(self) -> str:
        """As a page shows it."""
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
