"""The gate `previous_environment`: the release has proven itself somewhere else first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import durationpy
from pydantic import Field, StrictBool

from engine.errors import GateError, NotFoundError
from engine.gates.configuration import applied
from engine.gates.protocol import GateContext, GateServices
from engine.model.base import Document, Duration, Name
from engine.model.execution import StepResult, StepStatus
from engine.model.gate_config import LONGEST_WAIT
from engine.model.standing import Standing
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict


class PreviousEnvironmentConfig(Document):
    """What the release has to have done elsewhere.

    Attributes:
        environment: where; of the same tenant.
        soak: how long it has to have been there since it succeeded.
        must_be_current: whether nothing else may have succeeded there since; otherwise it has to
            have been there for `soak` before something else did.
        verified: node ids, or types of nodes, whose steps have to have succeeded there. A type
            means all steps of that type, and at least one.
    """

    environment: Name
    soak: Duration = Field(default=timedelta(0), ge=timedelta(0), le=LONGEST_WAIT)
    must_be_current: StrictBool = True
    verified: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=100
    )


class PreviousEnvironmentGate:
    """Allows what has succeeded in another environment and has stood there for long enough."""

    config: ClassVar[type[Document]] = PreviousEnvironmentConfig
    type: ClassVar[str] = "previous_environment"
    holds_for_rollbacks: ClassVar[bool] = False

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow, deny, or defer until the release has been there for long enough.

        Raises:
            GateError: the environment does not exist.
        """
        config = applied(context.gate, PreviousEnvironmentConfig)
        try:
            standing = await services.standing(config.environment)
        except NotFoundError as error:
            raise GateError(f"environment: {error.problem}") from error
        return decide(config, context.promotion.release.ref, standing, context.now)


def decide(
    config: PreviousEnvironmentConfig, release: str, standing: Standing, now: datetime
) -> Verdict:
    """What a standing comes to at `now`.

    Args:
        release: how people know it, `name@version`.
    """
    where = config.environment
    if standing.promotion_id is None or standing.succeeded_at is None:
        return Deny(reason=f"{release} has not succeeded in {where}; promote it there first")
    until = standing.succeeded_at + config.soak
    soaked = (standing.replaced_at or now) - standing.succeeded_at
    attributes: dict[str, AttributeValue] = {
        "previous_environment.name": where,
        "previous_environment.promotion_id": str(standing.promotion_id),
        "previous_environment.soak_seconds": max(0.0, soaked.total_seconds()),
    }
    problem = _problem(config, release, standing, until)
    if problem is not None:
        return Deny(reason=problem, attributes=attributes)
    since = f"has been in {where} since {standing.succeeded_at:%Y-%m-%d %H:%M:%S} UTC"
    if standing.replaced_at is None and now < until:
        wanted = durationpy.to_str(config.soak)
        return Defer(
            reason=f"{release} {since}; goes on after {wanted}, at {until:%Y-%m-%d %H:%M:%S} UTC",
            until=until,
            attributes=attributes,
        )
    return Allow(reason=f"{release} {since}", attributes=attributes)


def _problem(
    config: PreviousEnvironmentConfig, release: str, standing: Standing, until: datetime
) -> str | None:
    where, replaced_at = config.environment, standing.replaced_at
    if standing.failed_since is not None:
        return (
            f"{release} failed in {where} after it had succeeded there "
            f"(promotion {standing.failed_since}); let it succeed there again"
        )
    if replaced_at is not None and config.must_be_current:
        return (
            f"{release} is no longer what runs in {where}: something else took its place at "
            f"{replaced_at:%Y-%m-%d %H:%M:%S} UTC; promote it there again"
        )
    if replaced_at is not None and replaced_at < until:
        return (
            f"{release} was in {where} for less than {durationpy.to_str(config.soak)} before "
            "something else took its place; promote it there again"
        )
    unverified = _unverified(config.verified, standing.steps)
    if unverified:
        return (
            f"{release} was not verified in {where}: {'; '.join(unverified)}; "
            "promote it there again, with these steps"
        )
    return None


def _unverified(wanted: Sequence[str], steps: Iterable[StepResult]) -> list[str]:
    """What is wrong with the steps that are wanted, in words."""
    own = [step for step in steps if step.compensates is None]
    problems = []
    for name in wanted:
        meant = [step for step in own if step.node_id == name] or [
            step for step in own if step.type == name
        ]
        if not meant:
            problems.append(f"no step {name}")
        problems += [
            f"step {step.node_id} {step.status}"
            for step in meant
            if step.status is not StepStatus.SUCCEEDED
        ]
    return problems
