"""How activities are called: bounds and retries, in one place."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


class LocalOptions(TypedDict):
    """The options of a local activity."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    retry_policy: RetryPolicy


class CallOptions(TypedDict):
    """The options of an activity of a worker that calls out."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class StepOptions(TypedDict):
    """The options of a step's work, beside the time that the step has."""

    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class AgentOptions(TypedDict):
    """The options of a task on an agent, beside its own timeout."""

    schedule_to_start_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


_FIVE_TRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=5,
)

SHORT = LocalOptions(
    # Work on our database. An outage of the database delays a promotion, for an hour at most.
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(hours=1),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30)
    ),
)

BEST_EFFORT = LocalOptions(
    # Work on our database that a promotion does without when it does not succeed soon.
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(minutes=1),
    retry_policy=SHORT["retry_policy"],
)

CALLING_OUT = CallOptions(
    # Calls of gates and steps to the outside. Each bounds its own length; this bounds all tries.
    start_to_close_timeout=timedelta(hours=1),
    schedule_to_close_timeout=timedelta(hours=2),
    # A worker that died is noticed after this long, and the call is made again.
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=_FIVE_TRIES,
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)

STEP = StepOptions(
    # A worker that died is noticed after this long, and the work is done by another. So is, by the
    # worker, that the step was cancelled.
    heartbeat_timeout=timedelta(seconds=15),
    # Work that fails says so for good; only what was lost is done again.
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=10,
    ),
    # An attempt must not begin while the one before is still at work.
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

ON_AGENT = AgentOptions(
    # An agent that takes no task for this long is out of reach.
    schedule_to_start_timeout=timedelta(minutes=10),
    # An agent that died is noticed after this long, and the task is given to its successor.
    heartbeat_timeout=timedelta(seconds=15),
    retry_policy=_FIVE_TRIES,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
