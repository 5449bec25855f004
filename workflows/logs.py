"""Loggers of workflow code."""

from __future__ import annotations

import logging

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.telemetry.scope import is_evicting


class _Logger(workflow.LoggerAdapter):
    """Writes nothing while a workflow is replayed, or dropped from its worker's cache."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # the name is the standard library's
        return not is_evicting() and super().isEnabledFor(level)


def workflow_logger(name: str) -> workflow.LoggerAdapter:
    """The logger of a module with workflow code.

    A line of a workflow task that is lost together with its worker is written again by the next.
    """
    logger = _Logger(logging.getLogger(name), None)
    # The ids are fields of the line; see `engine.logs`.
    logger.workflow_info_on_message = False
    # What writes the line is no part of the workflow, and may look at a clock or open a file.
    logger.unsafe_disable_sandbox()
    return logger
