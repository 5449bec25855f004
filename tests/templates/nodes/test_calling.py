"""The node types `http`, `command` and `verify` against a real server and real programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.errors import CallError, InputError, StepError
from engine.templates import registry
from tests.harness.answering import Answer, Answering, answering
from tests.templates.nodes.steps import RUN, do


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        yield running


async def test_http_puts_out_what_was_answered_and_can_be_known_again(server: Answering) -> None:
    server.answers["/orders"] = Answer(201, {"id": 7}, {"content-type": "application/json"})
    report = await do(
        "http",
        {
            "method": "POST",
            "url": f"{server.url}/orders?token=in-the-query",
            "headers": {"X-Token": {"secret": "env:TOKEN"}},
            "body": {"a": 1},
            "status": [201],
            "holds": "body.id > 6 && status == 201",
        },
    )
    assert report.outputs == {"status": 201, "body": {"id": 7}}
    assert report.detail == f"POST {server.url}/orders answered 201"
    (asked,) = server.asked
    assert asked.headers["idempotency-key"] == str(RUN)
    assert asked.headers["x-token"] == "t0p-s3cret-value"
    assert asked.json() == {"a": 1}


async def test_what_an_answer_repeats_of_a_secret_is_not_put_out(server: Answering) -> None:
    server.answers["/echo"] = lambda asked: Answer(200, f"got {asked.headers['x-token']}")
    inputs = {"url": f"{server.url}/echo", "headers": {"X-Token": {"secret": "env:TOKEN"}}}
    report = await do("http", inputs)
    assert report.outputs["body"] == "got ***"
    assert (await do("http", {**inputs, "keep_body": False})).outputs == {"status": 200}


@pytest.mark.parametrize(
    ("answer", "more", "problem"),
    [
        (Answer(404), {}, "answered 404, not 2xx"),
        (Answer(204), {"status": [200, "3xx"]}, "answered 204, not 200, 3xx"),
        (Answer(200, {"ok": False}), {"holds": "body.ok"}, "its answer does not meet 'body.ok'"),
        (Answer(200, {}), {"holds": "body.ok"}, "does not fit 'body.ok'"),
        (Answer(200, "no json"), {"holds": "body.ok"}, "does not fit 'body.ok'"),
    ],
)
async def test_an_answer_that_is_not_expected_fails_the_step(
    server: Answering, answer: Answer, more: dict[str, Any], problem: str
) -> None:
    server.answers["/x"] = answer
    with pytest.raises(StepError) as failed:
        await do("http", {"url": f"{server.url}/x", **more})
    assert problem in str(failed.value)
    assert failed.value.outputs == {"status": answer.status}


async def test_a_server_that_is_not_there_fails_the_step_by_another_name() -> None:
    with pytest.raises(CallError, match="cannot be reached"):
        await do("http", {"url": "http://127.0.0.1:9/x"})


@pytest.mark.parametrize(
    ("type", "inputs", "problem"),
    [
        ("http", {"url": "http://x/", "holds": "body.ok +"}, "line 1, column"),
        ("http", {"url": "http://x/", "holds": "'text'"}, "true or false is needed"),
        ("http", {"url": "http://x/", "status": [99]}, "status"),
        ("http", {"url": "ftp://x/"}, "http"),
        ("command", {"command": []}, "command"),
        ("command", {"command": ["x"], "exit_codes": [300]}, "exit_codes"),
        ("verify", {"checks": []}, "checks"),
        ("verify", {"checks": [{"name": "a"}]}, "either http or command"),
        (
            "verify",
            {"checks": [{"name": "a", "command": {"command": ["x"]}}] * 2},
            "several checks are called a",
        ),
    ],
)
def test_inputs_that_mean_nothing_are_refused(
    type: str, inputs: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        registry.get(type).inputs.model_validate(inputs)


async def test_a_command_knows_what_it_works_for_and_puts_out_json() -> None:
    script = (
        "import json, os; e = os.environ; print(json.dumps({k: e[k] for k in e "
        "if k.startswith('PROMOTION') or k in ('IDEMPOTENCY_KEY', 'MINE')}))"
    )
    report = await do(
        "command",
        {"command": [sys.executable, "-c", script], "env": {"MINE": "1"}, "outputs": "json"},
        attempt=3,
    )
    assert report.outputs == {
        "PROMOTION_ID": "5b1d5b3c-8f3c-4b57-9d3c-0d2f6a2f6a10",
        "PROMOTION_RELEASE": "web@1.0.0",
        "PROMOTION_ENVIRONMENT": "production",
        "PROMOTION_TENANT": "default",
        "PROMOTION_STEP": "step",
        "PROMOTION_STEP_ATTEMPT": "3",
        "IDEMPOTENCY_KEY": str(RUN),
        "MINE": "1",
    }


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("print('[1]')", "is no JSON object"),
        ("print('x')", "is no JSON: "),
        ("print('NaN')", "is no JSON: "),
        ("print('{}' + ' ' * 70000)", "wrote more than 65536 bytes"),
    ],
)
async def test_what_is_no_json_object_is_not_put_out(written: str, problem: str) -> None:
    with pytest.raises(StepError, match=problem):
        await do("command", {"command": [sys.executable, "-c", written], "outputs": "json"})


async def test_a_command_fails_with_its_last_words_and_without_its_secrets(tmp_path: Path) -> None:
    script = "import os, sys; print('first'); sys.exit('cannot: ' + os.environ['TOKEN'])"
    inputs = {
        "command": [sys.executable, "-c", script],
        "cwd": str(tmp_path),
        "env": {"TOKEN": {"secret": "env:TOKEN"}},
    }
    with pytest.raises(StepError) as failed:
        await do("command", inputs)
    assert str(failed.value) == f"{sys.executable} ended with exit code 1: cannot: ***"
    assert failed.value.outputs == {"exit_code": 1}
    assert (await do("command", {**inputs, "exit_codes": [0, 1]})).outputs == {"exit_code": 1}
    with pytest.raises(CallError, match=r"did not end within 0\.2 s"):
        await do("command", {"command": ["sleep", "60"], "timeout": "200ms"})
    with pytest.raises(InputError, match="env:NONE"):
        await do("command", {**inputs, "env": {"TOKEN": {"secret": "env:NONE"}}})


async def test_verify_tries_each_check_and_tells_of_all(server: Answering, tmp_path: Path) -> None:
    states = iter(["starting", "starting", "ready"])
    server.answers["/health"] = lambda asked: Answer(200, {"state": next(states)})
    server.answers["/down"] = Answer(503)
    marker = tmp_path / "seen"
    checks = [
        {
            "name": "health",
            "http": {"url": f"{server.url}/health", "holds": "body.state == 'ready'"},
            "attempts": 5,
            "interval": "10ms",
        },
        {
            "name": "smoke",
            "command": {
                "command": ["sh", "-c", f"test -e {marker} || {{ touch {marker}; exit 3; }}"]
            },
            "attempts": 2,
            "interval": "10ms",
        },
    ]
    report = await do("verify", {"checks": checks})
    assert report.outputs == {
        "checks": {
            "health": {"passed": True, "attempts": 3, "detail": ""},
            "smoke": {"passed": True, "attempts": 2, "detail": ""},
        }
    }
    bad = [
        {"name": "down", "http": {"url": f"{server.url}/down"}, "attempts": 2, "interval": "10ms"},
        {"name": "gone", "command": {"command": ["/no/such/program"]}, "attempts": 9},
        {"name": "fine", "command": {"command": ["true"]}},
        {
            "name": "secretless",
            "http": {"url": server.url, "headers": {"X": {"secret": "env:NONE"}}},
            "attempts": 9,
        },
    ]
    with pytest.raises(StepError) as failed:
        await do("verify", {"checks": bad})
    assert failed.value.outputs is not None
    told = failed.value.outputs["checks"]
    assert isinstance(told, dict)
    assert {name: (each["passed"], each["attempts"]) for name, each in told.items()} == {
        "down": (False, 2),
        "gone": (False, 1),
        "fine": (True, 1),
        "secretless": (False, 1),
    }
    assert f"down: {server.url}/down answered 503" in str(failed.value)
    assert "gone: cannot run /no/such/program" in str(failed.value)
