"""What to say when somebody has typed a name that there is not.

Belongs here: the words. Does not belong here: which names there are.
"""

import difflib
from collections.abc import Collection


def no_such(thing: str, name: str, known: Collection[str], where: str = "") -> str:
    """One line, such as `there is no system 'shp'; did you mean shop?`; it lists all names if none is close.

    Args:
        thing: What the name is of, such as `system` or `table`.
        name: What was typed.
        known: The names that there are.
        where: Where it was looked for, such as ` in shop`.
    """
    listed = f"there are: {', '.join(known) or 'none'}"
    return f"there is no {thing} {name!r}{where}; {way_out(name, known, listed)}"


def way_out(name: str, known: Collection[str], otherwise: str) -> str:
    """`did you mean a or b?`, or something else if no known name is close to the one that was typed."""
    by_lower_case = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower_case)
    return f"did you mean {' or '.join(by_lower_case[each] for each in close)}?" if close else otherwise
