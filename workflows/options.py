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


class AgentOptions(TypedDict):
    """The options of a task on an agent, beside its own timeout."""

    schedule_to_start_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


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

ON_AGENT = AgentOptions(
    # An agent that takes no task for this long is out of reach.
    schedule_to_start_timeout=timedelta(minutes=10),
    # An agent that died is noticed after this long, and the task is given to its successor.
    heartbeat_timeout=timedelta(seconds=15),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=5,
    ),
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
