"""A whole promotion with each of the two databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.promotion import PromotionResult, PromotionStatus
from tests.harness.system import running_system, with_agents


async def test_a_promotion_on_either_database(
    empty_database_url: str,
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_system(
        tmp_path, temporal_address, monkeypatch, database_url=empty_database_url
    ) as system:
        gates = "[{type: security}, {type: approval, config: {required: 1, users: [bob]}}]"
        await system.apply("environments:\n" + system.environment_yaml("production", gates=gates))
        release = await system.release("1.0.0")
        async with with_agents(system, "production-t1", "production-t2"):
            handle = await system.start(release, "production")
            await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
            await handle.execute_update("approve", {"user": "bob"})
            result = PromotionResult.model_validate(await handle.result())

        assert result.status is PromotionStatus.SUCCEEDED
        stored = await system.store.promotions.get(result.promotion_id)
        assert stored.status is PromotionStatus.SUCCEEDED
        assert {gate.name for gate in stored.gates} == {"security", "approval"}
        assert [vote.user for vote in stored.votes] == ["bob"]
        definition = await system.store.environments.get(system.tenant, "production")
        runs = await system.store.executions.running(definition.environment.id)
        assert {row.target for row in runs if row.running and row.running.release == release} == {
            "t1",
            "t2",
        }
        evidence = await system.store.evidence.get(result.promotion_id)
        assert result.evidence is not None
        assert evidence.sha256 == result.evidence.sha256
