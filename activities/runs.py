"""Which run of its workflow an activity works for."""

from __future__ import annotations

from temporalio import activity


def current_run() -> str | None:
    """Temporal's id of the run that asked for this activity; another one after a reset.

    The workflow itself cannot tell: what it knows of its run is what its first run was given.
    """
    return activity.info().workflow_run_id


def reset_run(first_run_id: str) -> str | None:
    """The current run's id when it came of a reset, None when it is the first one."""
    run = current_run()
    return None if run == first_run_id else run
