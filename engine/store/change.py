"""What writing a definition came to."""

from __future__ import annotations

from enum import StrEnum


class Change(StrEnum):
    """Whether a write made something new, changed something, or found all as wanted."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
