"""Calls of both kinds of plugins, as gates and steps make them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import InputError, PluginError
from engine.model.base import Json
from engine.plugins import inprocess
from engine.plugins.messages import StepParams, StepReply
from engine.plugins.protocol import Method, OfferKind
from engine.plugins.samples import PROMOTION
from engine.plugins.use import Answered, PluginUse, call, problems
from tests.plugins.builders import Noted, described, installed, offer, program, result

SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"board": {"type": "string"}, "how": {"type": "string"}},
    "additionalProperties": False,
}


async def secret(reference: str) -> str:
    return {"env:TOKEN": 'gr"äulich'}[reference]


async def ask(use: PluginUse, calls: Noted | None = None) -> tuple[StepReply, Answered]:
    return await call(
        use,
        OfferKind.STEP,
        Method.STEP_RUN,
        StepParams(step="announce", promotion=PROMOTION),
        StepReply,
        key="the-key",
        resolve_secret=secret,
        calls=calls or Noted(),
    )


def board(directory: Path, script: str, **more: Json) -> PluginUse:
    """A step in sh, and its use."""
    announced = offer("step", "announce", schema=SCHEMA, secrets=["token"], **more)
    program(directory, "board", described("board", announced), script)
    return PluginUse(plugin="board", inputs={"board": "ops"}, secrets={"token": "env:TOKEN"})


async def test_a_program_gets_the_call_on_stdin_and_a_clean_environment(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMOTE_DATABASE_URL", "postgresql://someone:password@db/promote")
    taken = tmp_path / "call.json"
    script = f"printf '%s' \"$call\" > {taken}; env > {tmp_path}/env; " + result(
        succeeded=True, detail="announced", outputs={"card": 7}
    )
    noted = Noted()
    reply, answered = await ask(board(directory, script), noted)

    assert reply == StepReply(succeeded=True, detail="announced", outputs={"card": 7})
    assert (answered.plugin, answered.version, answered.offer) == ("board", "1.0", "announce")
    assert answered.digest is not None
    told = json.loads(taken.read_text())
    assert told["protocol"] == 1
    assert told["method"] == "step.run"
    assert told["params"]["inputs"] == {"board": "ops"}
    assert told["params"]["secrets"] == {"token": 'gr"äulich'}
    assert told["params"]["promotion"]["release"]["version"] == "1.0.0"
    assert told["context"]["key"] == "the-key"
    assert told["context"]["check"] is False
    environment = (tmp_path / "env").read_text()
    assert "password" not in environment
    assert "äulich" not in environment
    assert noted.made == [
        ("board", "describe", "", ""),
        ("board", "step.run", "announce", ""),
    ]
    assert noted.beats > 0


@pytest.mark.parametrize(
    ("script", "told", "retryable"),
    [
        ("echo 'no disk' >&2; exit 3", "ended with exit code 3: no disk", True),
        ("kill -9 $$", "was ended by SIGKILL", True),
        ("head -c 300000 /dev/zero", "wrote more than 256 KiB", False),
        (":", "wrote nothing to stdout", False),
        ("echo hello", "wrote no JSON to stdout", False),
        ("echo '[]'", "wrote JSON that is no object", False),
        ("echo '{}{}'", "wrote no JSON to stdout", False),
        ("echo '{}'", "needs either `result` or `error`", False),
        ("echo '{\"result\": NaN}'", "wrote no JSON to stdout", False),
        ("echo '{\"result\": {}}'", "result.succeeded: is required", False),
        (result(succeeded=True, sucess=1), "result.sucess: is not known here", False),
    ],
)
async def test_a_program_that_gives_no_usable_answer_is_told_with_what_it_did(
    directory: Path, script: str, told: str, *, retryable: bool
) -> None:
    noted = Noted()
    with pytest.raises(PluginError) as caught:
        await ask(board(directory, script), noted)
    assert told in str(caught.value)
    assert str(caught.value).startswith("plugin board: ")
    assert caught.value.retryable is retryable
    assert noted.made[-1] == ("board", "step.run", "announce", "PluginError")


@pytest.mark.parametrize("script", ["sleep 600", "yes"])
async def test_a_program_that_does_not_end_is_ended(directory: Path, script: str) -> None:
    use = board(directory, script).model_copy(update={"timeout": timedelta(seconds=0.5)})
    with pytest.raises(PluginError, match=r"did not end within 0\.5 s") as caught:
        await ask(use)
    assert caught.value.retryable


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_refusal_keeps_its_type_and_whether_to_try_again(
    directory: Path, *, retryable: bool
) -> None:
    refusal = {"type": "BoardClosed", "message": "until noon", "retryable": retryable}
    script = f"printf '%s' '{json.dumps({'error': refusal})}'"
    with pytest.raises(PluginError, match="plugin board: BoardClosed: until noon") as caught:
        await ask(board(directory, script))
    assert caught.value.kind == "BoardClosed"
    assert caught.value.retryable is retryable


async def test_no_secret_comes_back_in_answers_or_errors(directory: Path) -> None:
    answer: dict[str, Json] = {
        "succeeded": True,
        "detail": 'with gr"äulich',
        "outputs": {'gr"äulich': ['gr"äulich']},
    }
    reply, _ = await ask(board(directory, result(**answer)))
    assert reply.detail == "with ***"
    assert reply.outputs == {"***": ["***"]}
    with pytest.raises(PluginError, match=r"exit code 1: with \*\*\* in it"):
        await ask(board(directory, "echo 'with gr\"äulich in it' >&2; exit 1"))


async def test_inputs_are_held_against_the_schema_before_each_call(directory: Path) -> None:
    use = board(directory, "exit 9")
    for wrong, told in (
        ({"inputs": {"bord": "ops"}}, "plugin board.inputs: Additional properties"),
        ({"secrets": {"tokn": "env:TOKEN"}}, "plugin board.secrets.tokn: is no secret"),
        ({"offer": "paint"}, "offers no step 'paint'"),
        ({"plugin": "bord"}, "no plugin is called 'bord'"),
    ):
        with pytest.raises(InputError) as caught:
            await ask(use.model_copy(update=wrong))
        assert told in str(caught.value)


def test_a_use_is_held_against_the_plugin_when_it_is_applied(directory: Path) -> None:
    use = board(directory, "exit 9")
    assert problems(use, OfferKind.STEP) == []
    wrong = use.model_copy(update={"inputs": {"board": 3}, "secrets": {"tokn": "env:TOKEN"}})
    assert [each.location for each in problems(wrong, OfferKind.STEP)] == [
        ("inputs", "board"),
        ("secrets", "tokn"),
    ]
    assert [each.location for each in problems(use, OfferKind.GATE)] == [("plugin",)]


PYTHON = """
import asyncio, time
from engine.errors import InputError
from engine.plugins.protocol import Description, Offer, RefusedError
from engine.actions.propagation import trace_headers

class Board:
    def describe(self):
        return Description(id="pyboard", version="1", offers=(
            Offer(kind="step", name="announce", secrets=("token",)),))

    async def call(self, call):
        how = call.params["inputs"].get("how")
        if how == "refuse":
            raise RefusedError("BoardClosed", "until noon", retryable=False)
        if how == "fail":
            raise KeyError("oh " + call.params["secrets"]["token"])
        if how == "timeout of its own":
            raise TimeoutError("the board")
        if how == "sleep":
            await asyncio.sleep(60)
        if how == "block":
            time.sleep(float(call.params["inputs"]["seconds"]))
        if how == "much":
            return {"succeeded": True, "detail": "x" * 1_000_000}
        if how == "object":
            return {"succeeded": object()}
        if how == "list":
            return []
        return {"succeeded": True, "detail": call.method}
"""


@pytest.fixture
def pyboard(site: Path) -> None:
    installed(site, "py_board", PYTHON, "pyboard = py_board:Board")


def using(how: str, **more: Json) -> PluginUse:
    return PluginUse(
        plugin="pyboard",
        inputs={"how": how, **more},
        secrets={"token": "env:TOKEN"},
        timeout=timedelta(seconds=0.5),
    )


@pytest.mark.usefixtures("pyboard")
async def test_a_plugin_in_python_answers_the_same_call() -> None:
    reply, answered = await ask(using("well"))
    assert reply == StepReply(succeeded=True, detail="step.run")
    assert answered == Answered(plugin="pyboard", version="1", offer="announce")


@pytest.mark.parametrize(
    ("how", "told", "retryable"),
    [
        ("refuse", "plugin pyboard: BoardClosed: until noon", False),
        ("fail", "plugin pyboard: failed with KeyError: 'oh ***'", True),
        ("timeout of its own", "plugin pyboard: failed with TimeoutError: the board", True),
        ("sleep", "plugin pyboard: did not answer within 0.5 s", True),
        ("much", "plugin pyboard: returned more than 256 KiB", False),
        ("object", "plugin pyboard: returned what has no JSON form", False),
        ("list", "plugin pyboard: returned a list and no dict", False),
    ],
)
@pytest.mark.usefixtures("pyboard")
async def test_a_plugin_in_python_that_gives_no_usable_answer_is_told(
    how: str, told: str, *, retryable: bool
) -> None:
    with pytest.raises(PluginError) as caught:
        await ask(using(how))
    assert str(caught.value).startswith(told)
    assert caught.value.retryable is retryable


@pytest.mark.usefixtures("pyboard")
async def test_one_that_blocks_holds_up_nobody_and_is_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inprocess, "MOST_LEFT", 1)
    monkeypatch.setattr(inprocess, "GRACE", 0.1)
    with pytest.raises(PluginError, match=r"within 0\.5 s, and cannot be stopped"):
        await ask(using("block", seconds=5))
    with pytest.raises(PluginError, match="1 earlier calls still go on past their time"):
        await ask(using("well"))
