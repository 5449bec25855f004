"""Several workers, and workers that are killed: the counts are those of the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.metrics_receiver import MetricsReceiver, grpc_metrics_receiver
from tests.harness.processes import environment, running
from tests.harness.system import prepared_system, trivy_report, until

GATES = "[{type: security, config: {max_critical: 0}}]"


async def test_every_worker_tells_the_same_counts_also_one_that_came_after_a_crash(
    tmp_path: Path, temporal_address: str, otel_variables: pytest.MonkeyPatch
) -> None:
    with grpc_metrics_receiver() as receiver:
        env = environment(
            tmp_path,
            temporal_address,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_METRIC_EXPORT_INTERVAL="200",
        )
        async with prepared_system(tmp_path, temporal_address, otel_variables) as system:
            await system.apply(
                "environments:\n" + system.environment_yaml("staging", targets=1, gates=GATES)
            )
            release = await system.release("1.0.0", trivy_report(critical=1))
            with running("worker", env=env) as first, running("worker", env=env):
                for _ in range(3):
                    await (await system.start(release, "staging")).result()
                await until(lambda: told(receiver, system.tenant) == [3, 3], "both tell 3")
                first.kill()
                await (await system.start(release, "staging")).result()
                with running("worker", env=env):
                    await until(
                        lambda: told(receiver, system.tenant) == [3, 4, 4],
                        "the one that stayed and the new one tell 4",
                    )
            assert {
                point.value
                for point in receiver.of(
                    "promotion.ended", tenant_name=system.tenant, promotion_status="failed"
                )
            } == {0}


def told(receiver: MetricsReceiver, tenant: str) -> list[float]:
    """What each process said last about promotions that were denied."""
    found = receiver.of("promotion.ended", tenant_name=tenant, promotion_status="denied")
    return sorted(point.value for point in found)
