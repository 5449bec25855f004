from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from engine.model.auto_promotion import Candidate, Consideration, Hold, NextStep
from engine.model.environment import AutoPromotion, Environment
from engine.model.standing import Standing
from engine.policy.auto_promotion import consider
from tests.gates.builders import NOON, promotion

SOAK = timedelta(hours=24)
RULE = AutoPromotion(after="staging", soak=SOAK)
CANDIDATE = Candidate(
    promotion_id=uuid4(),
    release_id=uuid4(),
    release="web@1.0.0",
    succeeded_in="staging",
    succeeded_at=NOON,
)
THERE = Standing(
    environment="staging",
    promotion_id=CANDIDATE.promotion_id,
    succeeded_at=NOON,
    is_current=True,
)
ABSENT = Standing(environment="production")


def production(rule: AutoPromotion | None) -> Environment:
    return promotion().environment.model_copy(update={"auto": rule})


def found(
    *,
    rule: AutoPromotion | None = RULE,
    before: Standing = THERE,
    here: Standing = ABSENT,
    holds: tuple[Hold, ...] = (),
    waited: timedelta = SOAK,
) -> Consideration:
    return consider(production(rule), CANDIDATE, before, here, holds, NOON + waited)


def test_a_release_is_started_at_the_moment_at_which_it_has_soaked() -> None:
    soaking = found(waited=SOAK - timedelta(microseconds=1))
    assert (soaking.step, soaking.until) == (NextStep.SOAK, NOON + SOAK)
    started = found()
    assert started.step is NextStep.START
    assert str(CANDIDATE.promotion_id) in started.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rule": None}, "promotes nothing from staging"),
        ({"rule": AutoPromotion(after="qa")}, "promotes nothing from staging"),
        ({"before": THERE.model_copy(update={"is_current": False})}, "was replaced in staging"),
        ({"before": THERE.model_copy(update={"promotion_id": uuid4()})}, "was replaced"),
        ({"before": THERE.model_copy(update={"failed_since": uuid4()})}, "has failed since"),
        ({"here": ABSENT.model_copy(update={"is_current": True})}, "is in production already"),
    ],
)
@pytest.mark.parametrize("waited", [timedelta(), SOAK])
def test_a_candidate_that_is_none_any_more_is_dropped(
    changes: dict[str, Standing], reason: str, waited: timedelta
) -> None:
    dropped = found(**changes, waited=waited)  # type: ignore[arg-type]  # by name, in the table
    assert dropped.step is NextStep.DROP
    assert reason in dropped.reason


def test_a_hold_keeps_what_has_soaked_until_somebody_lifts_it() -> None:
    hold = Hold(
        id=uuid4(),
        environment_id=promotion().environment.id,
        reason="rolled back",
        held_by="alice",
        held_at=NOON,
    )
    held = found(holds=(hold,))
    assert (held.step, held.until) == (NextStep.HOLD, None)
    assert held.reason == "held: rolled back (held by alice)"
    assert found(holds=(hold,), waited=timedelta()).step is NextStep.SOAK
    assert found(holds=()).step is NextStep.START
