"""What a promotion's end means to the process that waited for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ExitCode

if TYPE_CHECKING:
    from engine.model.promotion import PromotionStatus


def exit_code_of(status: PromotionStatus) -> ExitCode:
    """The exit code for a final status; a decision against it is told apart from a fault."""
    if status.is_error:
        return ExitCode.FAILED
    return ExitCode.DONE if status == "succeeded" else ExitCode.DENIED
