"""Releases that have soaked in one environment are promoted to the next by rule."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.client import WorkflowFailureError

from engine.errors import NotFoundError
from engine.model import identity
from engine.model.auto_promotion import (
    REQUESTED_BY,
    AutoPromotionState,
    NextStep,
    auto_promotion_workflow_id,
)
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.worker import running_worker
from tests.harness.system import PATIENCE, System, prepared_system, with_agents

RULE = "    auto: {after: staging, soak: 5s}\n"
UNDOING = """
    template:
      name: undoing
      nodes:
        - id: mark
          type: command
          inputs: {command: ["true"]}
          on_rollback: {type: command, inputs: {command: ["true"]}}
        - id: check
          type: command
          needs: [mark]
          inputs: {command: ["false"]}
          on_failure: rollback
"""


async def succeed(system: System, release: str, environment: str) -> UUID:
    """Promote a release, and return the promotion's id."""
    handle = await system.start(release, environment)
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    return result.promotion_id


def follower(system: System, succeeded: UUID) -> UUID:
    """The id of the promotion to production that follows upon one to staging."""
    tenant = identity.tenant_id(system.tenant)
    return identity.auto_promotion_id(identity.environment_id(tenant, "production"), succeeded)


async def ended(system: System, promotion: UUID) -> PromotionResult:
    """The result of a promotion that somebody else starts."""
    for _ in range(int(PATIENCE / 0.1)):
        try:
            return await system.promotions.result(promotion)
        except NotFoundError:
            await asyncio.sleep(0.1)
    raise AssertionError(f"nobody started {promotion}")


async def waiting(system: System, step: NextStep, release: str) -> AutoPromotionState:
    """What waits, as soon as it is this release for this reason."""
    found = None
    for _ in range(int(PATIENCE / 0.1)):
        found = await system.promotions.waiting_by_rule(system.tenant, "production")
        if found and found.candidate and found.candidate.release == release:
            latest = found.latest
            if latest is not None and latest.step is step:
                return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{release} never waits for {step}: {found}")


async def test_what_has_soaked_is_promoted_once_and_a_rollback_holds_it_until_it_is_lifted(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as system:
        await system.apply(
            "environments:\n"
            + system.environment_yaml("staging", targets=1)
            + system.environment_yaml(
                "production",
                targets=1,
                more=RULE,
            )
        )
        releases = [await system.release(f"1.{number}.0") for number in range(4)]
        environment = (await system.store.environments.get(system.tenant, "production")).environment
        async with with_agents(system, "staging-t1", "production-t1"):
            async with running_worker(system.settings):
                first = await succeed(system, releases[0], "staging")
                soaking = await waiting(system, NextStep.SOAK, releases[0])
            assert soaking.latest is not None
            assert soaking.latest.until is not None
            # The soak ends while no worker runs.
            while datetime.now(UTC) < soaking.latest.until:
                await asyncio.sleep(0.1)
            async with running_worker(system.settings):
                result = await ended(system, follower(system, first))
                assert (result.status, result.requested_by) == (
                    PromotionStatus.SUCCEEDED,
                    REQUESTED_BY,
                )
                stored = await system.store.promotions.get(result.promotion_id)
                assert stored.started_at >= soaking.latest.until
                assert str(first) in stored.snapshot.reason
                # Nothing waits any more, so the workflow ends.
                auto = system.client.get_workflow_handle(
                    auto_promotion_workflow_id(system.tenant, "production")
                )
                await asyncio.wait_for(auto.result(), PATIENCE)

                # Two releases within one soak: the first is not promoted, since it did not stay.
                passed_by = await succeed(system, releases[1], "staging")
                second = await succeed(system, releases[2], "staging")
                await ended(system, follower(system, second))
                assert system.running_version("production", "t1") == "version 1.2.0\n"
                with pytest.raises(NotFoundError):
                    await system.promotions.state(follower(system, passed_by))

                # What production had before comes back, which holds automatic promotion.
                back = await succeed(system, releases[0], "production")
                (hold,) = await system.store.holds.of(environment.id)
                assert (hold.promotion_id, hold.held_by) == (back, "alice")
                third = await succeed(system, releases[3], "staging")
                held = await waiting(system, NextStep.HOLD, releases[3])
                assert held.latest is not None
                assert f"came back by promotion {back}" in held.latest.reason
                with pytest.raises(NotFoundError):
                    await system.promotions.state(follower(system, third))

                await system.store.holds.lift(environment.id, by="bob", at=datetime.now(UTC))
                assert await system.promotions.look_again_by_rule(system.tenant, "production")
                await ended(system, follower(system, third))
                assert system.running_version("production", "t1") == "version 1.3.0\n"
                assert await system.store.holds.of(environment.id) == ()
                rows = await system.store.promotions.list(system.tenant, "production")
                assert [row.snapshot.release.ref for row in rows] == [
                    releases[3],
                    releases[0],
                    releases[2],
                    releases[0],
                ]

                # So does a promotion that fails and takes its work back.
                await system.apply(
                    "environments:\n"
                    + system.environment_yaml("staging", targets=1)
                    + system.environment_yaml("production", targets=1, more=RULE + UNDOING)
                )
                failed = await system.start(releases[1], "production")
                with pytest.raises(WorkflowFailureError):
                    await failed.result()
                (hold,) = await system.store.holds.of(environment.id)
                assert f"promotion/{hold.promotion_id}" == failed.id
                assert "took its work back" in hold.reason
