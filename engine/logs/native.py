"""The log of Temporal's native core, which would otherwise print lines of its own."""

from __future__ import annotations

import logging

from temporalio.runtime import LogForwardingConfig, LoggingConfig, TelemetryFilter

LOGGER = "temporalio.core"


def native_logging() -> LoggingConfig:
    """Have the core's warnings and errors written by the logger `temporalio.core`."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(
            logger=logging.getLogger(LOGGER),
            append_target_to_name=False,
            prepend_target_on_message=False,
        ),
    )
