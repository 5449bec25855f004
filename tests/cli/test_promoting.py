from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from engine.errors import ExitCode
from engine.model.promotion import PromotionState, PromotionStatus
from tests.cli.conftest import Cli
from tests.harness.processes import PROMOTE, Process
from tests.harness.system import PATIENCE, trivy_report


@pytest.fixture(scope="module")
async def release(cli: Cli) -> str:
    return await cli.system.release("1.0.0")


def request(cli: Cli, release: str, environment: str) -> tuple[str, ...]:
    return (
        "start", "--release", release, "--environment", environment,
        "--tenant", cli.system.tenant, "--requested-by", "alice",
    )  # fmt: skip


async def started(
    cli: Cli, release: str, environment: str, *more: str, traceparent: str = ""
) -> str:
    """The id of a promotion that the command started."""
    command = (*request(cli, release, environment), "--json", *more)
    printed = await cli.done(*command, TRACEPARENT=traceparent)
    return str(PromotionState.model_validate_json(printed).promotion_id)


async def awaiting(cli: Cli, release: str) -> str:
    promotion = await started(cli, release, "gated")
    await cli.system.until_status(f"promotion/{promotion}", PromotionStatus.AWAITING_APPROVAL)
    return promotion


async def test_a_start_without_waiting_tells_how_to_go_on(cli: Cli, release: str) -> None:
    ended = await cli(*request(cli, release, "gated"))

    assert ended.returncode == 0
    identity = ended.stdout.split()[1].rstrip(":")
    assert ended.stderr == f"follow it with: promote watch {identity}\n"
    assert (await cli.system.promotions.state(identity)).requested_by == "alice"


async def test_waiting_for_a_success_ends_with_0_and_tells_its_steps(
    cli: Cli, release: str
) -> None:
    ended = await cli(*request(cli, release, "free"), "--wait")

    assert ended.returncode == ExitCode.DONE
    lines = [line.partition(" ")[2] for line in ended.stdout.splitlines()]
    assert lines[-1] == "succeeded"
    assert "step deploy: succeeded" in [line[:22] for line in lines]
    assert "\x1b" not in ended.stdout


async def test_waiting_in_json_leaves_stdout_to_json(cli: Cli, release: str) -> None:
    ended = await cli(*request(cli, release, "free"), "--wait", "--json")

    state = PromotionState.model_validate_json(ended.stdout)
    assert state.status is PromotionStatus.SUCCEEDED
    assert "succeeded" in ended.stderr


async def test_waiting_for_a_failure_ends_with_1(cli: Cli) -> None:
    lost = await cli.system.release("1.0.1", lost=True)
    printed = await cli.done(*request(cli, lost, "free"), "--wait", code=ExitCode.FAILED)
    assert "failed: " in printed.splitlines()[-1]


async def test_waiting_for_a_denial_ends_with_3(cli: Cli) -> None:
    bad = await cli.system.release("1.0.2", trivy_report(critical=1))
    printed = await cli.done(*request(cli, bad, "scanned"), "--wait", code=ExitCode.DENIED)
    assert "denied" in printed.splitlines()[-1]
    assert "gate security: failed: " in printed


async def test_waiting_too_long_ends_with_4_and_the_promotion_goes_on(
    cli: Cli, release: str
) -> None:
    ended = await cli(*request(cli, release, "gated"), "--wait", "--timeout", "3s")

    assert ended.returncode == ExitCode.TIMED_OUT
    error = ended.stderr.splitlines()[-1]
    assert error.startswith("promote: error: promotion ")
    assert "is awaiting_approval after the time given to wait; it goes on" in error
    state = await cli.system.promotions.state(error.split()[3])
    assert not state.status.is_final


async def test_an_id_makes_starting_again_harmless(cli: Cli, release: str) -> None:
    identity = str(uuid4())
    first = await started(cli, release, "gated", "--id", identity)
    second = await started(cli, release, "gated", "--id", identity)
    assert first == second == identity


@pytest.mark.parametrize("by_stdin", [True, False], ids=["stdin", "file"])
async def test_a_request_is_read_from_json_and_yaml(cli: Cli, release: str, by_stdin: bool) -> None:
    text = json.dumps(
        {
            "release": release,
            "environment": "gated",
            "tenant": cli.system.tenant,
            "requested_by": "ci",
            "reason": "nightly",
        }
    )
    path = cli.system.directory / "request.yaml"
    path.write_text(text)
    ended = await cli("start", "--input", "-" if by_stdin else str(path), "--json", stdin=text)

    assert ended.returncode == 0, ended.stderr
    assert PromotionState.model_validate_json(ended.stdout).requested_by == "ci"


async def test_a_start_continues_the_callers_trace(cli: Cli, release: str) -> None:
    trace = uuid4().hex
    promotion = await started(
        cli, release, "free", "--wait", traceparent=f"00-{trace}-00f067aa0ba902b7-01"
    )
    spans = json.loads(await cli.done("trace", "show", promotion, "--json"))

    assert {span["trace_id"] for span in spans} == {trace}
    (root,) = [span for span in spans if span["name"] == "promotion.request"]
    assert root["parent_span_id"] == "00f067aa0ba902b7"


async def test_what_does_not_exist_is_refused_with_2(cli: Cli, release: str) -> None:
    told = await cli.refused(*request(cli, "web@9.9.9", "free"), code=2)
    assert told.startswith("release: ")
    assert "'web@9.9.9'" in told
    told = await cli.refused(*request(cli, release, "moon"), code=2)
    assert told.startswith("environment: ")
    command = (*request(cli, release, "free"), "--param", "replicas=3", "--param", "x=[a]")
    told = await cli.refused(*command, code=2)
    assert "parameters.replicas: the template 'standard' has no parameter 'replicas'" in told
    assert "parameters.x: the template 'standard' has no parameter 'x'" in told
    told = await cli.refused("status", str(uuid4()), code=2)
    assert told.startswith("promotion: there is none with the id")


@pytest.mark.parametrize("text", ['{"release": ', "release: [", "just text"])
async def test_a_malformed_request_is_refused_with_2(cli: Cli, text: str) -> None:
    told = await cli.refused("start", "--input", "-", code=2, stdin=text)
    assert re.match(r"standard input:[12]:\d+: ", told)


async def test_an_approval_by_a_second_user(cli: Cli, release: str) -> None:
    promotion = await awaiting(cli, release)
    shown = await cli.done("status", promotion)
    assert "awaiting_approval" in shown
    assert "waiting for" in shown

    told = await cli.refused("approve", promotion, "--user", "mallory", code=2)
    assert "mallory" in told
    printed = await cli.done("approve", promotion, "--user", "bob", "--comment", "looks good")
    assert printed.startswith(f"promotion {promotion}: approved by bob, now ")

    ended = await cli("watch", promotion, "--json")
    states = [PromotionState.model_validate_json(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == ExitCode.DONE
    assert states[-1].status is PromotionStatus.SUCCEEDED
    assert [vote.user for vote in states[-1].votes] == ["bob"]
    told = await cli.refused("approve", promotion, PROMOTE_USER="carol", code=2)
    assert "has ended" in told


async def test_a_rejection(cli: Cli, release: str) -> None:
    promotion = await awaiting(cli, release)
    await cli.done("reject", promotion, "--comment", "not today", PROMOTE_USER="carol")
    printed = await cli.done("watch", promotion, code=ExitCode.DENIED)
    assert printed.splitlines()[-1].endswith(" rejected")


async def test_a_cancellation(cli: Cli, release: str) -> None:
    promotion = await awaiting(cli, release)
    await cli.done("cancel", promotion, "--user", "alice", "--reason", "wrong release")
    await cli.done("watch", promotion, code=ExitCode.DENIED)
    state = json.loads(await cli.done("status", promotion, "--json"))
    assert state["status"] == "cancelled"
    assert state["progress"] == "cancelled by alice: wrong release"


async def test_a_list_shows_it(cli: Cli, release: str) -> None:
    promotion = await started(cli, release, "free", "--wait")
    found: list[dict[str, Any]] = []
    for _ in range(int(PATIENCE)):
        found = json.loads(
            await cli.done("list", "--tenant", cli.system.tenant, "--status", "succeeded", "--json")
        )
        if promotion in [each["promotion_id"] for each in found]:
            break
    assert promotion in [each["promotion_id"] for each in found]
    table = await cli.done("list", "--tenant", cli.system.tenant, "--environment", "free")
    assert promotion in table
    empty = await cli("list", "--tenant", "nobody")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert await cli.done("list", "--tenant", "nobody", "--json") == "[]\n"


async def test_a_trace_is_drawn_finished_or_in_flight(cli: Cli, release: str) -> None:
    promotion = await awaiting(cli, release)
    open_tree = await cli.done("trace", "show", promotion)
    assert "promotion.request" in open_tree
    assert "open" in open_tree
    assert "evidence.generate" not in open_tree
    await cli.done("approve", promotion, "--user", "bob")
    await cli.done("watch", promotion)
    tree = await cli.done("trace", "show", promotion)

    assert "open" not in tree
    for name in ("gate.approval", "deployment.execute", "agent.task.deploy", "evidence.sign"):
        assert name in tree
    assert "gate.result=passed" in tree
    assert "target.name=t1" in tree


async def test_evidence_is_exported_and_verified(cli: Cli, release: str) -> None:
    promotion = await started(cli, release, "free", "--wait")
    envelope, public = cli.system.directory / "evidence.json", cli.system.directory / "key.pem"
    await cli.done("evidence", "export", promotion, "-o", str(envelope))
    assert (await cli.done("evidence", "export", promotion)).encode().strip() == (
        envelope.read_bytes().strip()
    )
    public.write_text(await cli.done("evidence", "public-key"))
    printed = await cli.done("evidence", "verify", str(envelope), "--key", str(public))
    assert printed.startswith("verified: signed by key ")
    facts = json.loads(
        await cli.done("evidence", "verify", str(envelope), "--key", str(public), "--json")
    )
    assert facts["verified"] is True

    forged = json.loads(envelope.read_text())
    forged["signatures"][0]["sig"] = "AAAA" + forged["signatures"][0]["sig"][4:]
    envelope.write_text(json.dumps(forged))
    verify = ("evidence", "verify", str(envelope), "--key", str(public))
    assert "does not verify" in await cli.refused(*verify, code=1)
    facts = json.loads(await cli.done(*verify, "--json", code=1))
    assert facts["verified"] is False
    await cli.refused("evidence", "verify", "nothing.json", "--key", str(public), code=2)
    await cli.refused("evidence", "export", str(uuid4()), code=2)


async def test_an_interrupted_watch_ends_with_130(cli: Cli, release: str) -> None:
    promotion = await awaiting(cli, release)
    process = Process("watch", promotion, env=cli.env())
    try:
        await asyncio.to_thread(process.until_line, "awaiting_approval")
        process.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.process.wait, PATIENCE) == 130
    finally:
        process.kill()
    assert not [line for line in process.lines if "Traceback" in line]
    assert not (await cli.system.promotions.state(promotion)).status.is_final


def watched_on_a_terminal(promotion: str, env: dict[str, str]) -> tuple[int, str]:
    """The exit code of `promote watch` on a terminal, and what it drew there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROMOTE, "watch", promotion], env=env, stdout=theirs, stdin=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        drawn = b""
        # Linux reports an error once the last process has closed the terminal.
        with suppress(OSError):
            while part := os.read(ours, 65536):
                drawn += part
        os.close(ours)
        return process.wait(PATIENCE), drawn.decode()


@pytest.mark.parametrize("in_ci", [False, True], ids=["terminal", "ci"])
async def test_progress_is_drawn_on_a_terminal_only(cli: Cli, release: str, in_ci: bool) -> None:
    promotion = await started(cli, release, "free")
    env = cli.env(TERM="xterm-256color", COLUMNS="120")
    env.pop("CI", None)
    if in_ci:
        env["CI"] = "true"
    code, drawn = await asyncio.to_thread(watched_on_a_terminal, promotion, env)

    assert code == 0
    assert "succeeded" in drawn
    assert ("\x1b[" in drawn) is not in_ci
