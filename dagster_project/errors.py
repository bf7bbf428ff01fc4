"""The root of all errors that a user can act on.

Belongs here: only the root; each module defines its own. The command line shows such an error as one line instead of a traceback.
"""


class RunmartError(Exception):
    """Something outside the code is wrong; the message names it, its value and the way out."""
