"""`promote explain`, `promote policy` and `promote auto` against a system that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import ExitCode
from engine.model.obstacle import Explanation, ObstacleKind
from engine.model.promotion import PromotionState, PromotionStatus
from engine.policy.evaluation import Outcome, Verdicts
from engine.policy.forecast import Forecast
from tests.cli.conftest import Cli
from tests.harness.system import trivy_report

RULES = """
groups: {{managers: [bob, carol]}}
tenant: {tenant}
environments:
  - name: gated
    targets: [{{name: t1, agent: a1}}]
    gates: [{{type: approval, config: {{required: {required}, groups: [managers]}}}}]
  - name: scanned
    targets: [{{name: t1, agent: a2}}]
    gates: [{{type: security, config: {{max_critical: {critical}}}}}]
"""


@pytest.fixture(scope="module")
async def release(cli: Cli) -> str:
    return await cli.system.release("1.0.0")


def rules(cli: Cli, directory: Path, *, required: int = 1, critical: int = 0) -> str:
    file = directory / "rules.yaml"
    file.write_text(RULES.format(tenant=cli.system.tenant, required=required, critical=critical))
    return str(file)


async def test_explain_tells_a_person_and_a_program_what_to_do(cli: Cli, release: str) -> None:
    started = await cli.system.start(release, "gated")
    await cli.system.until_status(started.id, PromotionStatus.AWAITING_APPROVAL)
    ref = started.id.removeprefix("promotion/")

    told = Explanation.model_validate_json(await cli.done("explain", ref, "--json"))
    assert [each.kind for each in told.obstacles] == [ObstacleKind.APPROVAL]
    assert told.obstacles[0].actions[0].command == f"promote approve {ref}"
    status = PromotionState.model_validate_json(await cli.done("status", ref, "--json"))
    assert status.waiting_for == told.obstacles[0].text

    printed = await cli.done("explain", ref)
    assert f"approve it (bob, carol): promote approve {ref}" in printed
    assert told.obstacles[0].text in printed


async def test_a_look_ahead_tells_what_the_gates_would_say_and_starts_nothing(
    cli: Cli, release: str
) -> None:
    ahead = ("explain", "--tenant", cli.system.tenant, "--user", "alice")
    before = await cli.system.store.promotions.list(cli.system.tenant)
    wait = Forecast.model_validate_json(
        await cli.done(*ahead, "-e", "gated", "-r", release, "--json")
    )
    assert wait.decision is Verdicts.WAIT
    assert [(gate.outcome, gate.who) for gate in wait.gates] == [
        (Outcome.WAITING, ("bob", "carol"))
    ]
    bad = await cli.system.release("6.6.6", trivy_report(critical=2))
    printed = await cli.done(*ahead, "-e", "scanned", "-r", bad)
    assert "deny" in printed
    assert "2 critical" in printed
    assert await cli.system.store.promotions.list(cli.system.tenant) == before


async def test_a_replay_of_what_real_promotions_recorded_tells_what_would_differ(
    cli: Cli, tmp_path: Path
) -> None:
    system = cli.system
    allowed = await system.start(await system.release("2.0.0"), "gated")
    await system.until_status(allowed.id, PromotionStatus.AWAITING_APPROVAL)
    await system.promotions.approve(allowed.id, "bob")
    await allowed.result()
    rejected = await system.start(await system.release("2.1.0"), "gated")
    await system.until_status(rejected.id, PromotionStatus.AWAITING_APPROVAL)
    await system.promotions.reject(rejected.id, "carol")
    await rejected.result()
    denied = await system.start(await system.release("2.2.0", trivy_report(critical=1)), "scanned")
    await denied.result()

    same = ("policy", "replay", "-e", "gated", "--with", rules(cli, tmp_path), "--since", "1h")
    assert ", 0 otherwise, 0 unknown" in await cli.done(*same)

    changed = ("policy", "replay", "-e", "gated", "--with", rules(cli, tmp_path, required=2))
    found = json.loads(await cli.done(*changed, "--json", code=ExitCode.FAILED))
    different = {each["promotion_id"]: each["replayed"] for each in found["promotions"]}
    assert different[allowed.id.removeprefix("promotion/")] == "wait"
    assert rejected.id.removeprefix("promotion/") not in different
    assert found["summary"]["different"] == len(different)

    looser = ("policy", "replay", "-e", "scanned", "--with", rules(cli, tmp_path, critical=1))
    printed = await cli.done(*looser, code=ExitCode.FAILED)
    assert denied.id.removeprefix("promotion/") in printed
    assert "deny → allow" in printed


async def test_automatic_promotion_is_held_lifted_and_shown(cli: Cli) -> None:
    system = cli.system
    await system.apply(
        "environments:\n"
        + system.environment_yaml("first", targets=1)
        + system.environment_yaml("second", targets=1, more="    auto: {after: first, soak: 24h}\n")
    )
    ours = ("--tenant", system.tenant)
    by = ("--user", "alice", *ours)
    await cli.done("auto", "hold", "second", "--reason", "audit", *by)
    printed = await cli.done("auto", "status", *ours)
    assert "after first, soak 24h" in printed
    assert "held by alice" in printed
    lifted = json.loads(await cli.done("auto", "lift", "second", "--reason", "ok", *by, "--json"))
    assert [(each["reason"], each["lift_reason"]) for each in lifted] == [("audit", "ok")]
