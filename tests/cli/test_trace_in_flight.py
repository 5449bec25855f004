"""`promote trace show` on promotions that wait: what for, of whom, since when, until when."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.model.promotion import PromotionStatus
from tests.cli.conftest import Cli
from tests.harness.processes import PROMOTE
from tests.harness.system import PATIENCE, running_system, with_agents

Span = dict[str, Any]

FREEZE = (
    "[{type: freeze_window, config: {on_freeze: wait, windows: "
    "[{name: year-end, timezone: UTC, start: '2020-01-01T00:00', end: '2090-01-01T00:00'}]}}]"
)
ASKING = """\
    template:
      name: two-eyes
      nodes:
        - {id: ask, type: approval, inputs: {required: 1, users: [dora]}}
"""


@pytest.fixture(scope="module")
async def site(
    tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> AsyncIterator[Cli]:
    with pytest.MonkeyPatch.context() as environ:
        home: Path = tmp_path_factory.mktemp("flight")
        async with running_system(home, temporal_address, environ) as system:
            gates = "[{type: approval, config: {required: 2, groups: [managers]}}]"
            await system.apply(
                "groups: {managers: [bob, carol, dora]}\nenvironments:\n"
                + system.environment_yaml("gated", targets=1, gates=gates)
                + system.environment_yaml("frozen", targets=1, gates=FREEZE)
                + system.environment_yaml("asking", targets=1, more=ASKING)
                + system.environment_yaml("queued", targets=1)
                + system.environment_yaml("retried", targets=1)
            )
            await system.release("1.0.0")
            yield Cli(system, temporal_address)


async def started(site: Cli, environment: str, status: PromotionStatus) -> str:
    handle = await site.system.start("web@1.0.0", environment)
    await site.system.until_status(handle.id, status)
    return handle.id.removeprefix("promotion/")


async def spans_of(site: Cli, promotion: str) -> list[Span]:
    found: list[Span] = json.loads(await site.done("trace", "show", promotion, "--json"))
    return found


async def until_waiting(site: Cli, promotion: str, kind: str) -> tuple[Span, dict[str, Any]]:
    """The first wait of a kind, and the span that waits."""
    spans: list[Span] = []
    for _ in range(int(PATIENCE)):
        spans = await spans_of(site, promotion)
        for span in spans:
            for wait in span["waits"]:
                if wait["kind"] == kind:
                    return span, wait
        await asyncio.sleep(0.2)
    raise AssertionError(f"never waited for {kind}: {[span['waits'] for span in spans]}")


async def test_an_approval_tells_who_may_still_give_it_and_how_many_have_to(site: Cli) -> None:
    promotion = await started(site, "gated", PromotionStatus.AWAITING_APPROVAL)
    await site.done("approve", promotion, "--user", "bob")
    span, wait = await until_waiting(site, promotion, "approval")

    assert span["name"] == "gate.approval"
    assert span["ended_at"] is None
    assert (wait["who"], wait["needed"]) == (["carol", "dora"], 1)
    assert datetime.fromisoformat(wait["until"]) > datetime.now(UTC)
    drawn = await site.done("trace", "show", promotion, COLUMNS="300")
    (line,) = [line for line in drawn.splitlines() if "gate.approval" in line]
    assert "waits for approval: 1 of 2 approvals; waiting for carol or dora; until " in line
    assert "\x1b" not in drawn
    await site.done("reject", promotion, "--user", "carol")
    await site.done("watch", promotion, code=3)
    assert all(span["waits"] == [] for span in await spans_of(site, promotion))


async def test_a_step_tells_what_it_waits_for(site: Cli) -> None:
    promotion = await started(site, "asking", PromotionStatus.AWAITING_APPROVAL)
    span, wait = await until_waiting(site, promotion, "approval")
    assert span["name"] == "workflow.step.approval"
    assert wait["text"] == "0 of 1 approvals; waiting for dora"
    await site.done("cancel", promotion, "--user", "alice")


async def test_a_freeze_tells_until_when(site: Cli) -> None:
    promotion = await started(site, "frozen", PromotionStatus.BLOCKED)
    span, wait = await until_waiting(site, promotion, "time")
    assert span["name"] == "gate.freeze_window"
    assert wait["until"] == "2090-01-01T00:00:00Z"
    assert "'year-end'" in wait["text"]
    assert wait["who"] == []
    await site.done("cancel", promotion, "--user", "alice")


async def test_a_task_and_a_place_in_the_queue(site: Cli) -> None:
    holder = await started(site, "queued", PromotionStatus.RUNNING)
    agent = f"{site.system.tenant}-queued-t1"
    span, wait = await until_waiting(site, holder, "agent")
    assert span["name"] == "agent.task.pull"
    assert (wait["task"], wait["target"], wait["agent"]) == ("pull", "t1", agent)
    assert wait["polled_at"] is None
    assert f"nobody asks for its tasks, start it with: promote agent --id {agent}" in wait["text"]
    assert datetime.fromisoformat(wait["until"]) > datetime.now(UTC)

    first = await started(site, "queued", PromotionStatus.QUEUED)
    await until_waiting(site, first, "lock")
    second = await started(site, "queued", PromotionStatus.QUEUED)
    span, wait = await until_waiting(site, second, "lock")
    assert span["name"] == "promotion.request"
    assert (wait["holder"], wait["position"]) == (holder, 2)
    drawn = await site.done("trace", "show", first, COLUMNS="300")
    assert f"waits for its turn in queued, where web@1.0.0 of promotion {holder} deploys" in drawn
    assert "it is next" in drawn

    async with with_agents(site.system, "queued-t1"):
        for promotion in (holder, first, second):
            await site.done("watch", promotion)
    spans = await spans_of(site, holder)
    assert all(span["waits"] == [] for span in spans)
    attempts = {span["name"]: span["attempt"] for span in spans}
    assert attempts["agent.task.pull"] == attempts["evidence.sign"] == 1
    assert attempts["deployment.assign_tasks"] == 1
    assert attempts["promotion.request"] is None


async def test_a_retry_tells_its_attempt_when_and_why(site: Cli) -> None:
    # Where the target's directory should be there is a file, until somebody takes it away.
    root = site.system.settings.home / "agents" / f"{site.system.tenant}-retried-t1"
    root.mkdir(parents=True)
    (root / "t1").write_text("in the way")
    async with with_agents(site.system, "retried-t1"):
        promotion = await started(site, "retried", PromotionStatus.RUNNING)
        span, wait = await until_waiting(site, promotion, "retry")
        assert span["name"] == "agent.task.pull"
        assert span["attempt"] == wait["attempt"] >= 2
        assert wait["last_failure"]
        assert wait["until"] is not None
        assert wait["polled_at"] is not None
        assert wait["text"].startswith(f"attempt {wait['attempt']} of 5 of pull on t1 on agent ")
        (root / "t1").unlink()
        await site.done("watch", promotion)
    pulls = [one for one in await spans_of(site, promotion) if one["name"] == "agent.task.pull"]
    last = max(one["attempt"] or 0 for one in pulls)
    assert last >= 2
    drawn = await site.done("trace", "show", promotion, COLUMNS="300")
    assert f"task.attempt={last}" in drawn


def on_a_terminal(promotion: str, env: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROMOTE, "trace", "show", promotion], env=env, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        drawn = b""
        # Linux reports an error once the last process has closed the terminal.
        with suppress(OSError):
            while part := os.read(ours, 65536):
                drawn += part
        os.close(ours)
        assert process.wait(PATIENCE) == 0
        return drawn.decode()


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_colours_are_for_terminals_that_want_them(site: Cli, no_color: str) -> None:
    promotion = await started(site, "frozen", PromotionStatus.BLOCKED)
    env = site.env(TERM="xterm-256color", COLUMNS="200", NO_COLOR=no_color)
    drawn = await asyncio.to_thread(on_a_terminal, promotion, env)
    assert "waits for" in drawn
    assert ("\x1b[1;33m" in drawn) is not bool(no_color)
    await site.done("cancel", promotion, "--user", "alice")
