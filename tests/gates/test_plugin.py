"""The gate `plugin`, asked with plugins of both kinds."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import InputError, PluginError
from engine.gates import registry
from engine.gates.plugin import PluginGate
from engine.model.base import Json
from engine.model.environment import Gate
from engine.model.verdict import Allow, Defer, Deny, Skip
from tests.gates.builders import NOON, Services, context, promotion
from tests.harness.answering import Answer, answering
from tests.plugins.builders import described, install_error_budget, offer, program, result


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "plugins"
    path.mkdir()
    monkeypatch.setenv("PROMOTE_PLUGINS", str(path))
    return path


def gate(directory: Path, script: str, **more: Json) -> None:
    program(directory, "board", described("board", offer("gate", "open", **more)), script)


async def test_what_the_program_says_becomes_the_verdict(directory: Path) -> None:
    gate(
        directory,
        result(
            verdict="deny",
            reason="the board is closed",
            attributes={"cards": 3},
            evidence={"card": "OPS-7"},
        ),
    )
    verdict = await PluginGate().evaluate(context("plugin", {"plugin": "board"}), Services())
    assert isinstance(verdict, Deny)
    assert verdict.reason == "the board is closed"
    assert verdict.attributes == {"plugin.id": "board", "plugin.offer": "open", "board.cards": 3}
    assert verdict.evidence["answer"] == {"card": "OPS-7"}
    digest = verdict.inputs["plugin/board"]
    assert verdict.evidence["plugin"] == {
        "plugin": "board",
        "version": "1.0",
        "offer": "open",
        "digest": digest,
    }


async def test_one_that_defers_says_until_when_and_is_given_its_memory(
    directory: Path, tmp_path: Path
) -> None:
    until = (NOON + timedelta(hours=1)).isoformat()
    script = f"printf '%s' \"$call\" > {tmp_path}/call; " + result(
        verdict="defer", reason="not yet", until=until, who=["dora"], memory={"ticket": 9}
    )
    gate(directory, script)
    asked = context("plugin", {"plugin": "board"})
    verdict = await PluginGate().evaluate(
        asked.model_copy(update={"memory": {"ticket": 8}}), Services()
    )
    assert isinstance(verdict, Defer)
    assert verdict.until == NOON + timedelta(hours=1)
    assert (verdict.who, verdict.memory) == (("dora",), {"ticket": 9})
    told = json.loads((tmp_path / "call").read_text())["params"]
    assert told["memory"] == {"ticket": 8}
    assert told["gate"] == "checked"
    assert told["promotion"]["requested_by"] == "alice"
    assert "groups" not in json.dumps(told["promotion"])


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 3", "ended with exit code 3"),
        (result(verdict="defer", reason="some day"), "defers without `until`"),
        (result(verdict="allow", reason="x", attributes={"Gate Result": 1}), "attributes"),
        (result(verdict="allow", reason="x", evidence={"a": "y" * 17_000}), "larger than 16 KiB"),
    ],
)
async def test_one_that_gives_no_usable_answer_breaks_the_gate(
    directory: Path, script: str, told: str
) -> None:
    gate(directory, script)
    with pytest.raises(PluginError, match=told):
        await PluginGate().evaluate(context("plugin", {"plugin": "board"}), Services())


async def test_a_plugin_says_whether_it_holds_for_rollbacks(directory: Path) -> None:
    gate(directory, result(verdict="deny", reason="no"), holds_for_rollbacks=False)
    back = promotion().model_copy(update={"is_rollback": True})
    asked = context("plugin", {"plugin": "board"}, snapshot=back)
    assert isinstance(await PluginGate().evaluate(asked, Services()), Skip)
    wanted = asked.gate.model_copy(update={"on_rollback": "ask"})
    insisting = asked.model_copy(update={"gate": wanted})
    assert isinstance(await PluginGate().evaluate(insisting, Services()), Deny)


def test_a_gate_is_held_against_the_plugin_when_it_is_applied(directory: Path) -> None:
    schema: Json = {"properties": {"board": {"type": "string"}}, "required": ["board"]}
    gate(directory, "exit 1", schema=schema)
    cases: list[tuple[dict[str, Json], str]] = [
        ({"plugin": "board", "inputs": {"board": 1}}, "gates.g.config.inputs.board"),
        ({"plugin": "board"}, "gates.g.config.inputs"),
        ({"plugin": "bord"}, "gates.g.config.plugin"),
        ({"plugin": "board", "offer": "shut", "inputs": {}}, "gates.g.config.offer"),
        ({"plugin": "board", "timeout": "2h", "inputs": {}}, "gates.g.config.timeout"),
        ({"offer": "open"}, "gates.g.config.plugin"),
    ]
    for config, field in cases:
        with pytest.raises(InputError) as caught:
            registry.check(Gate(type="plugin", name="g", config=config), {})
        assert caught.value.field == field
    fitting: dict[str, Json] = {"plugin": "board", "inputs": {"board": "ops"}}
    registry.check(Gate(type="plugin", name="g", config=fitting), {})


BUDGETS = [
    ({"total": 1_000_000, "good": 999_600}, {}, Allow, "60.0% of the error budget is left"),
    ({"total": 1_000_000, "good": 999_050}, {}, Deny, "5.0% of the error budget is left"),
    ({"total": 1_000_000, "good": 997_000}, {}, Deny, "-200.0% of the error budget"),
    ({"total": 1_000_000, "good": 997_000}, {"wait_minutes": 5}, Defer, "-200.0%"),
    ({"total": 0, "good": 0}, {}, Allow, "100.0%"),
    (
        {"data": [{"ok": 999, "all": 1000}]},
        {"good": "/data/0/ok", "total": "/data/0/all", "objective": 0.99},
        Allow,
        "90.0%",
    ),
]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    install_error_budget(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("figures", "inputs", "kind", "reason"), BUDGETS)
async def test_the_example_reads_an_error_budget(
    figures: Json, inputs: dict[str, Json], kind: type, reason: str
) -> None:
    with answering() as server:
        server.answers["/slo"] = Answer(body=figures)
        config: dict[str, Json] = {
            "plugin": "error-budget",
            "inputs": {"url": f"{server.url}/slo", "objective": 0.999, **inputs},
            "secrets": {"token": "env:SLO_TOKEN"},
        }
        registry.check(Gate(type="plugin", name="g", config=config), {})
        services = Services(secrets={"env:SLO_TOKEN": "s3cret"})
        verdict = await PluginGate().evaluate(context("plugin", config), services)
    assert isinstance(verdict, kind)
    assert reason in verdict.reason
    (asked,) = server.asked
    assert asked.headers["authorization"] == "Bearer s3cret"


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("answer", "told", "retryable"),
    [
        (Answer(503), "BadStatus: .* answered 503", True),
        (Answer(404), "BadStatus: .* answered 404", False),
        (Answer(body="no JSON"), "BadFigures: .* no JSON", False),
        (Answer(body={"total": 10}), "BadFigures: there is nothing at /good", False),
        (Answer(body={"total": 10, "good": "9"}), "what is at /good is no number", False),
        (Answer(body={"total": 10, "good": 11}), "11 good of 10 events cannot be", False),
        (Answer(body="[" + "0," * 600_000 + "0]"), "more than 1 MiB", False),
    ],
)
async def test_figures_that_cannot_be_read_break_the_gate(
    answer: Answer, told: str, *, retryable: bool
) -> None:
    with answering() as server:
        server.answers["/slo"] = answer
        config: dict[str, Json] = {
            "plugin": "error-budget",
            "inputs": {"url": f"{server.url}/slo", "objective": 0.999},
        }
        with pytest.raises(PluginError, match=told) as caught:
            await PluginGate().evaluate(context("plugin", config), Services())
    assert caught.value.retryable is retryable
