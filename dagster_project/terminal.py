"""The terminal: where every command prints.

Belongs here: the two streams and their width. Does not belong here: what is printed (`cli`, `source_cli`).
"""

import os
import sys

from rich.console import Console

# A pipe or a file has no width; tables keep their lines there, up to this or what COLUMNS says.
_WIDTH_OF_FILES = 120

out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_FILES)
err = Console(stderr=True, highlight=False, soft_wrap=True)
