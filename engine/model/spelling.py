"""What somebody may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """A remedy: the closest of the known names when one is close, and all of them.

    Args:
        what: what the names are of, e.g. `nodes`.
    """
    names = list(known)
    listed = f"{what}: {', '.join(names) or 'none'}"
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}? {listed}" if close else listed
