"""`promote advance` and `promote retry`, of a step in flight and of a promotion that has ended."""

from __future__ import annotations

from pathlib import Path

from engine.model.promotion import PromotionState, PromotionStatus
from tests.cli.conftest import Cli

TEMPLATE = """\
    template:
      name: operated
      nodes:
        - {{id: look, type: wait, inputs: {{advance: {{users: [bob]}}}}}}
        - id: repair
          type: command
          needs: [look]
          halt: {halt}
          inputs: {{command: [sh, -c, test -e {home}/repaired]}}
"""


async def begun(cli: Cli, release: str, halt: str, home: Path) -> str:
    """A promotion that waits at `look`."""
    template = TEMPLATE.format(halt=halt, home=home)
    environment = cli.system.environment_yaml(f"operated-{halt}", targets=1, more=template)
    await cli.system.apply(f"environments:\n{environment}")
    printed = await cli.done(
        "start", "--release", release, "--environment", f"operated-{halt}",
        "--tenant", cli.system.tenant, "--requested-by", "alice", "--json",
    )  # fmt: skip
    promotion = str(PromotionState.model_validate_json(printed).promotion_id)
    await cli.system.until_status(f"promotion/{promotion}", PromotionStatus.AWAITING_APPROVAL)
    return promotion


async def test_steps_are_let_go_on_and_tried_again_from_the_command_line(
    cli: Cli, tmp_path: Path
) -> None:
    release = await cli.system.release("2.0.0")
    promotion = await begun(cli, release, "10m", tmp_path)
    told = await cli.refused("advance", promotion, "--user", "eve", code=2)
    assert told == "user: 'eve' may not advance it; may: bob"
    told = await cli.refused("retry", promotion, "--user", "eve", code=2)
    assert told == "retry: no step is halted"
    told = await cli.done("advance", promotion, "--user", "bob")
    assert told.startswith(f"promotion {promotion}: let go on by bob, now ")
    await cli.system.until_status(f"promotion/{promotion}", PromotionStatus.HALTED)
    shown = await cli.done("status", promotion)
    assert "halted" in shown
    assert "promote retry" in shown
    (tmp_path / "repaired").touch()
    told = await cli.done("retry", promotion, "--node", "repair", "--user", "eve")
    assert told.startswith(f"promotion {promotion}: tried again by eve, now ")
    await cli.system.until_status(f"promotion/{promotion}", PromotionStatus.SUCCEEDED)
    # Steps are told by a worker, and one that is busy just then leaves them out.
    for _ in range(10):
        state = PromotionState.model_validate_json(await cli.done("status", promotion, "--json"))
        if state.steps:
            break
    assert {step.node_id: (step.attempt, step.outputs) for step in state.steps} == {
        "look": (1, {"ended_by": "bob"}),
        "repair": (2, {"exit_code": 0}),
    }
    told = await cli.refused("retry", promotion, code=2)
    assert f"promotion {promotion} is succeeded" in told


async def test_a_promotion_that_has_failed_is_tried_again_as_another(
    cli: Cli, tmp_path: Path
) -> None:
    release = await cli.system.release("2.0.1")
    promotion = await begun(cli, release, "0s", tmp_path)
    await cli.done("advance", promotion, "--user", "bob")
    await cli.system.until_status(f"promotion/{promotion}", PromotionStatus.FAILED)
    (tmp_path / "repaired").touch()
    told = await cli.done("retry", promotion, "--node", "repair", "--user", "eve")
    again = told.split("as promotion ")[1].split(",")[0]
    state = await cli.system.until_status(f"promotion/{again}", PromotionStatus.SUCCEEDED)
    assert state.requested_by == "eve"
    assert {step.node_id: step.detail for step in state.steps}["look"] == (
        f"done by promotion {promotion}"
    )
