from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

from engine.cli.progress import Lines
from engine.model.promotion import PromotionState, PromotionStatus, StepState
from engine.model.verdict import GateOutcome, GateResult, GateState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PASSED = GateState(
    name="scan",
    type="security",
    result=GateResult(
        name="scan",
        type="security",
        outcome=GateOutcome.PASSED,
        reason="nothing found",
        started_at=NOW,
        ended_at=NOW,
    ),
)


def state(status: PromotionStatus, **more: object) -> PromotionState:
    return PromotionState.model_validate(
        {
            "promotion_id": UUID(int=1),
            "status": status,
            "release": "web@1.0.0",
            "environment": "production",
            "tenant": "default",
            "requested_by": "alice",
            "requested_at": NOW,
            **more,
        }
    )


def told(*states: PromotionState) -> list[str]:
    written: list[str] = []
    lines = Lines(written.append)
    for each in states:
        lines.show(each)
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in written)
    return [line.partition(" ")[2] for line in written]


def test_only_what_is_new_is_told() -> None:
    waiting = state(
        PromotionStatus.AWAITING_APPROVAL, waiting_for="1 of 1 approvals", gates=(PASSED,)
    )
    running = state(
        PromotionStatus.RUNNING,
        gates=(PASSED,),
        steps=(
            StepState(node_id="deploy", type="deploy", status="running"),
            StepState(node_id="verify", type="verify", status="pending"),
        ),
        progress="deploy: batch 1 of 2, 0 of 2 targets done",
    )

    assert told(state(PromotionStatus.PENDING), waiting, waiting, running, running) == [
        "pending",
        "gate scan: passed: nothing found",
        "awaiting_approval: 1 of 1 approvals",
        "step deploy: running",
        "deploy: batch 1 of 2, 0 of 2 targets done",
        "running",
    ]


def test_the_reason_of_a_failure_is_told() -> None:
    failed = state(
        PromotionStatus.FAILED, failure={"type": "HealthCheckError", "message": "t1 answers 500"}
    )
    assert told(failed) == ["failed: t1 answers 500"]
