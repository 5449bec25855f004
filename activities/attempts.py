"""A task's attempts: each one's story goes along with its heartbeats to the one after it.

Temporal hands the details of the last heartbeat to the next attempt, also when the agent died, and
sends those that are still held back when an attempt ends
(https://docs.temporal.io/encyclopedia/detecting-activity-failures#activity-heartbeat). So the
attempt that succeeds can report those that did not, and they are in the workflow's history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError
from temporalio import activity

from engine.model.agent_task import TaskAttempt
from engine.model.failure import Failure
from engine.model.verdict import AttributeValue

LONGEST_MESSAGE = 1000
"""Characters of a failure's message that are kept; every heartbeat carries all of them."""

_ATTEMPTS: TypeAdapter[tuple[TaskAttempt, ...]] = TypeAdapter(tuple[TaskAttempt, ...])


class AttemptLog:
    """The attempt at hand, and what is known of those before it.

    Attributes:
        number: 1 for the first attempt.
        calls: see `TaskReport.calls`.
    """

    def __init__(self) -> None:
        info = activity.info()
        self.number = info.attempt
        self.started_at = datetime.now(UTC)
        self.earlier = _earlier(info.heartbeat_details, info.attempt)
        self.calls: dict[str, AttributeValue] = {}

    def called(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Take note of the driver's last call over the network."""
        self.calls = dict(attributes)

    def heartbeat(self) -> None:
        """Give a sign of life."""
        self._tell(self._until_now(None))

    def failed(self, failure: Failure) -> tuple[TaskAttempt, ...]:
        """Tell how this attempt ended, and return all attempts so far."""
        short = failure.model_copy(update={"message": failure.message[:LONGEST_MESSAGE]})
        attempt = self._until_now(short)
        self._tell(attempt)
        return (*self.earlier, attempt)

    def _until_now(self, failure: Failure | None) -> TaskAttempt:
        return TaskAttempt(
            number=self.number,
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            failure=failure,
            calls=self.calls,
        )

    def _tell(self, attempt: TaskAttempt) -> None:
        activity.heartbeat(plain((*self.earlier, attempt)))


def plain(attempts: Sequence[TaskAttempt]) -> list[dict[str, object]]:
    """Attempts as JSON data, for heartbeats and for the details of an error."""
    return [attempt.model_dump(mode="json") for attempt in attempts]


def _earlier(details: Sequence[object], number: int) -> tuple[TaskAttempt, ...]:
    try:
        told = _ATTEMPTS.validate_python(details[0]) if details else ()
    except ValidationError:
        # An agent of another version made the attempt before.
        return ()
    return tuple(attempt for attempt in told if attempt.number < number)
