"""The driver `plugin`, with a program that writes what it was told into the target's directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.drivers.plugin import PluginDriver
from engine.drivers.protocol import DriverContext, Outcome
from engine.errors import InputError, PluginError
from engine.model.agent_task import AgentTask, RunningVersion
from engine.model.base import Json
from engine.plugins.messages import DriverParams
from engine.plugins.protocol import Method
from engine.plugins.samples import sample
from tests.plugins.builders import Noted, described, offer, program

SCRIPT = """directory=$(printf '%s' "$call" | sed 's/.*"directory": "\\([^"]*\\)".*/\\1/')
case "$call" in
*driver.pull*) printf '%s' "$call" > "$directory/pulled"
    printf '%s' '{"result": {"changed": true, "detail": "pulled"}}' ;;
*driver.deploy*) touch "$directory/deployed"
    printf '%s' '{"result": {"changed": true, "after": RUNNING}}' ;;
*) test -e "$directory/deployed" || { echo 'not deployed' >&2; exit 1; }
    printf '%s' '{"result": {"changed": false}}' ;;
esac"""


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningVersion:
    """What the program says that the target runs."""
    version = RunningVersion(
        release="web@1.0.0", component="web", digest=_task(Method.DRIVER_DEPLOY).component.digest
    )
    monkeypatch.setenv("PROMOTE_PLUGINS", str(tmp_path / "plugins"))
    schema: Json = {"properties": {"rack": {"type": "integer"}}, "additionalProperties": False}
    program(
        tmp_path / "plugins",
        "rack",
        described("rack", offer("driver", "rack", schema=schema)),
        SCRIPT.replace("RUNNING", version.model_dump_json()),
    )
    return version


def _task(method: Method, **config: Json) -> AgentTask:
    params = sample(method, Path("/nowhere"))
    assert isinstance(params, DriverParams)
    target = params.task.target.model_copy(update={"config": {"plugin": "rack", **config}})
    return params.task.model_copy(update={"target": target})


async def test_a_program_changes_the_target(running: RunningVersion, tmp_path: Path) -> None:
    noted = Noted()
    context = DriverContext(root=tmp_path / "agent", heartbeat=lambda: None, plugins=noted)
    driver = PluginDriver()
    with pytest.raises(PluginError, match="plugin rack: ended with exit code 1: not deployed"):
        await driver.health_check(_task(Method.DRIVER_HEALTH_CHECK), context)
    pulled = await driver.pull(_task(Method.DRIVER_PULL, inputs={"rack": 7}), context)
    assert pulled == Outcome(changed=True, detail="pulled")
    told = json.loads((tmp_path / "agent" / "sample" / "pulled").read_text())
    assert told["params"]["inputs"] == {"rack": 7}
    assert told["params"]["task"]["component"]["name"] == "web"
    deployed = await driver.deploy(_task(Method.DRIVER_DEPLOY), context)
    assert deployed.after == running
    healthy = await driver.health_check(_task(Method.DRIVER_HEALTH_CHECK), context)
    assert healthy == Outcome(changed=False)
    assert [(method, error) for _, method, _, error in noted.made if method != "describe"] == [
        ("driver.health_check", "PluginError"),
        ("driver.pull", ""),
        ("driver.deploy", ""),
        ("driver.health_check", ""),
    ]


@pytest.mark.usefixtures("running")
async def test_a_configuration_that_the_plugin_does_not_take_is_refused(tmp_path: Path) -> None:
    context = DriverContext(root=tmp_path / "agent", heartbeat=lambda: None, plugins=Noted())
    with pytest.raises(InputError, match=r"plugin rack\.inputs\.rack: 'seven' is not of type"):
        await PluginDriver().pull(_task(Method.DRIVER_PULL, inputs={"rack": "seven"}), context)
