"""The terminal: where every command prints.

Belongs here: the two streams and their width. Does not belong here: what is printed (`cli`, `source_cli`).
"""

import sys

from rich.console import Console

# A pipe or a file has no width; tables keep their lines there.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False, soft_wrap=True)
