"""Why a promotion is not further, or why it ended as it did, for a person who asks."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from engine.model.base import Timestamp, Value
from engine.model.status import PromotionStatus
from engine.model.verdict import Decision


class ObstacleKind(StrEnum):
    """What has to happen before it goes on."""

    APPROVAL = "approval"
    ANSWER = "answer"
    TIME = "time"
    FREEZE = "freeze"
    GATES = "gates"
    STEP = "step"
    LOCK = "lock"
    AGENT = "agent"
    RETRY = "retry"
    WORKER = "worker"


class Action(Value):
    """Something that a person can do now.

    Attributes:
        what: in a few words.
        command: what to type; what has to be filled in is in capitals.
        who: the people who may, by name; empty for anybody.
    """

    what: str
    command: str
    who: tuple[str, ...] = ()


class Obstacle(Value):
    """One thing that stands in a promotion's way.

    Attributes:
        where: at what it waits, such as `gate approval` or `step deploy`.
        until: when it goes on by itself; None where it does not, or nobody can tell.
        deadline: when the waiting ends with a no, where it does.
        who: the people whose word is waited for, by name.
    """

    kind: ObstacleKind
    where: str
    text: str
    until: Timestamp | None = None
    deadline: Timestamp | None = None
    who: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


class GateAccount(Value):
    """What one gate has said so far.

    Attributes:
        outcome: its last word; `waiting` or `evaluating` before.
    """

    name: str
    type: str
    outcome: str
    reason: str = ""


class Ending(Value):
    """Why a promotion has ended as it did. What does not belong to its status is empty.

    Attributes:
        gates: names of the gates that denied it.
        by: the person who rejected it.
        step, target: where its work failed.
        superseded_by: the promotion that took its place.
        actions: what can be done about it.
    """

    reason: str
    gates: tuple[str, ...] = ()
    by: str = ""
    step: str = ""
    target: str = ""
    superseded_by: UUID | None = None
    actions: tuple[Action, ...] = ()


class Explanation(Value):
    """The answer of the query `explain`.

    Attributes:
        summary: all of it in one sentence.
        earliest: when it goes on if nobody does anything; None where that cannot be said, since
            somebody has to act or work has to end.
        ending: once it has ended.
    """

    promotion_id: UUID
    release: str
    environment: str
    tenant: str
    status: PromotionStatus
    decision: Decision | None = None
    summary: str
    gates: tuple[GateAccount, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    earliest: Timestamp | None = None
    ending: Ending | None = None
