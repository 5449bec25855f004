"""Whether a release that soaks is to be promoted by itself now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.model.auto_promotion import Candidate, Consideration, Hold, NextStep
from engine.model.environment import Environment
from engine.model.standing import Standing


def consider(
    environment: Environment,
    candidate: Candidate,
    before: Standing,
    here: Standing,
    holds: Sequence[Hold],
    now: datetime,
) -> Consideration:
    """What becomes of a candidate at `now`.

    A release has soaked when it has been in the environment before for the time that the rule
    demands, as the only one and without a failure. Releases that come faster than that time pass
    therefore take each other's place there, and none of them is promoted before one has stayed.

    Args:
        environment: the one that the release would be promoted to, by its present definition.
        before: what the release has done in the environment where it soaks.
        here: what it has done in `environment`.
        holds: those of `environment` that are not lifted.
    """
    release, place = candidate.release, candidate.succeeded_in
    rule = environment.auto
    if rule is None or rule.after != place:
        return _drop(f"{environment.name} promotes nothing from {place} by itself any more")
    if before.promotion_id != candidate.promotion_id or not before.is_current:
        return _drop(f"{release} was replaced in {place} before it had soaked")
    if before.failed_since is not None:
        return _drop(f"a promotion of {release} to {place} has failed since: {before.failed_since}")
    if here.is_current:
        return _drop(f"{release} is in {environment.name} already")
    soaked_at = candidate.succeeded_at + rule.soak
    if now < soaked_at:
        reason = f"{release} soaks in {place}"
        return Consideration(step=NextStep.SOAK, reason=reason, until=soaked_at)
    if holds:
        reasons = "; ".join(f"{hold.reason} (held by {hold.held_by})" for hold in holds)
        return Consideration(step=NextStep.HOLD, reason=f"held: {reasons}")
    return Consideration(
        step=NextStep.START,
        reason=f"succeeded in {place} at {candidate.succeeded_at:%Y-%m-%d %H:%M:%S} UTC "
        f"(promotion {candidate.promotion_id}) and has soaked there",
    )


def _drop(reason: str) -> Consideration:
    return Consideration(step=NextStep.DROP, reason=reason)
