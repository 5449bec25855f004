"""Real promotions that call plugins of both kinds; their spans held against the specification."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.model.promotion import PromotionResult, PromotionStatus
from engine.model.verdict import GateOutcome
from engine.projection import project
from engine.telemetry.ids import span_id
from tests.conformance.checker import deviations
from tests.harness.answering import Answer, Answering, answering
from tests.harness.content import contents
from tests.harness.receiver import Received, Receiver
from tests.harness.system import System, running_system, until, with_agents
from tests.plugins.builders import (
    EXAMPLES,
    described,
    install_error_budget,
    offer,
    program,
    result,
)

TARGETS = """\
    targets:
      - {name: t1, agent: %s-marked-t1, driver: plugin, config: {plugin: rack}}
"""
MARKED = """\
  - name: marked
    gates:
      - type: plugin
        name: budget
        config:
          plugin: error-budget
          inputs: {url: "%s/slo", objective: 0.999}
          secrets: {token: "plugin:vault:slo/token"}
      - {type: plugin, name: board, config: {plugin: board}}
    template:
      name: marking
      nodes:
        - {id: deploy, type: deploy}
        - id: tag
          type: plugin
          needs: [deploy]
          inputs:
            plugin: git-tag
            inputs: {repository: "%s", revision: "${{ release.version }}"}
        - id: tell
          type: notify
          needs: [tag]
          inputs: {plugin: {plugin: bell}, subject: "tagged ${{ nodes.tag.outputs.tag }}"}
"""
BROKEN = """\
  - name: broken
    targets: [{name: t1, agent: none}]
    gates: [{type: plugin, name: board, config: {plugin: mumbling}}]
"""
FAILING = """\
  - name: failing
    targets: [{name: t2, agent: none}]
    template:
      name: failing
      nodes:
"""
STEPS = {
    "crash": ("echo 'no space left' >&2; exit 7", "ended with exit code 7: no space left"),
    "slow": ("sleep 600", "did not end within 0.5 s"),
    "chatty": ("head -c 300000 /dev/zero", "wrote more than 256 KiB"),
    "mumble": ("echo hello", "wrote no JSON to stdout"),
}


def git(*arguments: str, cwd: Path) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with the tag 1.0.0."""
    path = tmp_path / "repository"
    path.mkdir()
    git("init", "--quiet", cwd=path)
    git("commit", "--quiet", "--allow-empty", "--message", "first", cwd=path)
    git("tag", "1.0.0", cwd=path)
    return path


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        running.answers["/slo"] = Answer(body={"total": 1_000_000, "good": 999_900})
        yield running


@pytest.fixture
async def system(
    receiver: Receiver,
    server: Answering,
    repository: Path,
    directory: Path,
    site: Path,
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[System]:
    install_error_budget(site)
    shutil.copy(EXAMPLES / "bin" / "git-tag.py", directory)
    program(
        directory, "vault", described("vault", offer("secrets", "kv")), result(secret="slo-s3cret")
    )
    crashes_once = (
        f"printf '%s\\n' \"$call\" >> {tmp_path}/board; "
        f"test -e {tmp_path}/crashed || {{ touch {tmp_path}/crashed; kill -9 $$; }}; "
    )
    allow = result(verdict="allow", reason="the board is open")
    program(directory, "board", described("board", offer("gate")), crashes_once + allow)
    program(directory, "mumbling", described("mumbling", offer("gate")), "echo hello")
    program(
        directory,
        "bell",
        described("bell", offer("notifier")),
        f"printf '%s' \"$call\" > {tmp_path}/bell; " + result(detail="rang"),
    )
    fails_once = (
        f"case $call in *driver.deploy*) test -e {tmp_path}/deployed || "
        f"{{ touch {tmp_path}/deployed; exit 5; }} ;; esac; "
    )
    script = f"printf '%s\\n' \"$TRACEPARENT\" >> {tmp_path}/rack; {fails_once}" + result(
        changed=True
    )
    program(directory, "rack", described("rack", offer("driver")), script)
    nodes = ""
    for name, (does, _) in STEPS.items():
        program(directory, name, described(name, offer("step", timeout="500ms")), does)
        timeout = "" if name == "slow" else ", timeout: 1m"
        nodes += (
            f"        - {{id: {name}, type: plugin, on_failure: continue, "
            f"inputs: {{plugin: {name}{timeout}}}}}\n"
        )
    async with running_system(
        tmp_path / "home", temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        await running.apply(
            "environments:\n"
            + MARKED % (server.url, repository)
            + TARGETS % running.tenant
            + BROKEN
            + FAILING
            + nodes
        )
        yield running


async def traced(
    system: System, receiver: Receiver, workflow_id: str, result: PromotionResult
) -> list[Received]:
    """The promotion's spans, which conform and which its histories tell as well."""

    def root_is_here() -> bool:
        return any(span.name == "promotion.request" for span in receiver.of(result.trace_id))

    await until(root_is_here, "the root span was received")
    spans = receiver.of(result.trace_id)
    assert deviations(spans) == []
    assert contents((await project(system.client, workflow_id)).spans) == contents(spans)
    return spans


def calls(spans: list[Received]) -> dict[str, list[Received]]:
    """The spans of plugin calls, by `<parent> > <span> of <plugin>`."""
    by_id = {span.span_id: span for span in spans}
    found: dict[str, list[Received]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        if span.name.startswith("plugin."):
            parent = by_id[span.parent_span_id].name
            about = f"{parent} > {span.name} of {span.attributes['plugin.id']}"
            found.setdefault(about, []).append(span)
    return found


async def test_a_promotion_by_plugins_succeeds_and_each_call_is_a_span(
    system: System, receiver: Receiver, server: Answering, repository: Path, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    async with with_agents(system, "marked-t1"):
        handle = await system.start(release, "marked")
        result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    spans = await traced(system, receiver, handle.id, result)
    found = calls(spans)

    work = {name for name in found if "describe" not in name}
    assert work == {
        "gate.plugin > plugin.gate.evaluate of error-budget",
        "gate.plugin > plugin.secret.resolve of vault",
        "gate.plugin > plugin.gate.evaluate of board",
        "workflow.step.plugin > plugin.step.run of git-tag",
        "workflow.step.notify > plugin.notify of bell",
        "agent.task.pull > plugin.driver.pull of rack",
        "agent.task.deploy > plugin.driver.deploy of rack",
        "agent.task.health_check > plugin.driver.health_check of rack",
    }
    # The first attempt crashed, and the one after it tells of both.
    crashed, answered, *again = found["gate.plugin > plugin.gate.evaluate of board"]
    assert crashed.attributes["error.type"] == "PluginError"
    assert "was ended by SIGKILL" in crashed.status_message
    assert answered.attributes["error"] is False
    for span in (crashed, answered):
        assert span.attributes["plugin.method"] == "gate.evaluate"
        assert span.attributes["plugin.offer"] == "gate"
        duration = span.attributes["plugin.duration_ms"]
        assert isinstance(duration, float)
        assert duration > 0

    # What is called gets the context whose parent is its own span, and anybody can compute that.
    budget = found["gate.plugin > plugin.gate.evaluate of error-budget"][0]
    asked = server.asked[0]
    assert asked.headers["traceparent"] == f"00-{result.trace_id}-{budget.span_id}-01"
    assert asked.headers["authorization"] == "Bearer slo-s3cret"
    told = [json.loads(line) for line in (tmp_path / "board").read_text().splitlines()]
    parents = [each["context"]["traceparent"].split("-")[2] for each in told]
    # A gate that allows is asked once more when another one has ended meanwhile.
    assert parents == [span.span_id for span in (crashed, answered, *again)]
    assert told[0]["context"]["key"] == told[1]["context"]["key"]
    identity = str(answered.attributes["plugin.call_id"])
    assert span_id(result.trace_id, "plugin.gate.evaluate", identity) == answered.span_id
    racked = {line.split("-")[2] for line in (tmp_path / "rack").read_text().splitlines() if line}
    assert racked == {span.span_id for span in spans if span.name.startswith("plugin.driver.")}

    # A task that was tried again has an own span for each attempt, and its calls below its own.
    failed, done = found["agent.task.deploy > plugin.driver.deploy of rack"]
    assert "exit code 5" in failed.status_message
    assert done.parent_span_id == failed.parent_span_id
    attempts = [span for span in spans if span.name == "agent.task.deploy"]
    assert {span.attributes["task.attempt"] for span in attempts} == {1, 2}

    rung = json.loads((tmp_path / "bell").read_text())["params"]
    assert rung["subject"] == "tagged marked/1.0.0"
    assert git("tag", "--list", "marked/1.0.0", cwd=repository).strip() == "marked/1.0.0"
    gates = {gate.name: gate for gate in result.gates}
    assert gates["budget"].attributes["error-budget.remaining"] == pytest.approx(0.9)
    assert gates["board"].reason == "the board is open"
    assert "slo-s3cret" not in result.model_dump_json()
    history = await handle.fetch_history()
    assert "slo-s3cret" not in history.to_json()


async def test_plugins_that_fail_say_clearly_what_they_did(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0")
    handle = await system.start(release, "broken")
    denied = PromotionResult.model_validate(await handle.result())
    assert denied.status is PromotionStatus.DENIED
    (gate,) = denied.gates
    assert gate.outcome is GateOutcome.FAILED
    assert gate.reason.startswith("the gate broke: plugin mumbling: wrote no JSON to stdout")
    spans = await traced(system, receiver, handle.id, denied)
    (call,) = calls(spans)["gate.plugin > plugin.gate.evaluate of mumbling"]
    assert call.attributes["error.type"] == "PluginError"

    handle = await system.start(release, "failing")
    ended = PromotionResult.model_validate(await handle.result())
    spans = await traced(system, receiver, handle.id, ended)
    found = calls(spans)
    for name, (_, told) in STEPS.items():
        (call,) = found[f"workflow.step.plugin > plugin.step.run of {name}"]
        assert told in call.status_message
        (step,) = [span for span in spans if span.span_id == call.parent_span_id]
        assert f"plugin {name}: " in step.status_message
        assert told in step.status_message
