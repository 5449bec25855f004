"""The table of the gate `metric`, over a server that answers as Prometheus does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from engine.errors import GateError
from engine.gates.metric import MetricConfig
from engine.model.canonical import canonical_json
from engine.model.verdict import MAX_EVIDENCE_BYTES, Allow, Defer, Deny, Verdict
from tests.gates.asked import Asked
from tests.gates.builders import NOON, Services
from tests.harness.answering import Answer, Answering

QUERY = 'sum(rate(errors{env="staging"}[5m]))'
MINUTE = timedelta(minutes=1)


def vector(*values: str) -> dict[str, Any]:
    elements = [
        {"metric": {"pod": f"web-{index}"}, "value": [1772452800.781, value]}
        for index, value in enumerate(values)
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": elements}}


def scalar(value: str) -> dict[str, Any]:
    return {
        "status": "success",
        "data": {"resultType": "scalar", "result": [1772452800.781, value]},
    }


def answers(server: Answering, bodies: Sequence[Any]) -> None:
    """Give one answer after the other, the last one for ever."""
    left: Iterator[Any] = iter(bodies)
    latest: list[Answer] = []

    def next_answer(_: object) -> Answer:
        body = next(left, None)
        if body is not None:
            latest[:] = [body if isinstance(body, Answer) else Answer(body=body)]
        return latest[0]

    server.answers["/api/v1/query"] = next_answer


def gate(server: Answering, services: Services | None = None, **config: Any) -> Asked:
    defaults = {"url": server.url, "query": QUERY, "operator": "<", "threshold": 1}
    return Asked("metric", {**defaults, **config}, services)


async def last_word(asked: Asked) -> tuple[Verdict, int]:
    """The verdict, and how many times the gate waited before it."""
    now, waits = NOON, 0
    while isinstance(verdict := await asked.at(now), Defer):
        assert verdict.until is not None
        now, waits = verdict.until, waits + 1
    return verdict, waits


@pytest.mark.parametrize(
    ("bodies", "config", "kind", "told"),
    [
        ([vector("0.2")], {}, Allow, "1 of 1 samples taken, 0 failed"),
        ([scalar("0.2")], {}, Allow, "0 failed"),
        ([vector("1")], {}, Deny, "the query gave 1, which is not < 1; 1 of 1 samples"),
        ([vector("1")], {"operator": "<="}, Allow, ""),
        ([vector("2")], {"operator": ">"}, Allow, ""),
        ([vector("1")], {"operator": ">="}, Allow, ""),
        ([vector("1")], {"operator": "=="}, Allow, ""),
        ([vector("1")], {"operator": "!="}, Deny, "which is not != 1"),
        ([vector("-3.5e-2")], {}, Allow, ""),
        ([vector("+Inf")], {}, Deny, "the query gave +Inf"),
        ([vector("0.1", "0.2", "7")], {}, Deny, "the query gave 7"),
        ([vector()], {}, Deny, "the query gave no number"),
        ([vector("NaN")], {}, Deny, "the query gave no number"),
        ([vector()], {"on_no_data": "allow"}, Allow, ""),
        ([vector("NaN")], {"on_no_data": "allow"}, Allow, ""),
        ([vector("9")], {"on_no_data": "allow"}, Deny, "the query gave 9"),
        ([vector("0")], {"samples": 3}, Allow, "3 of 3 samples taken, 0 failed"),
        (
            [vector("0"), vector("5"), vector("0")],
            {"samples": 3, "failure_limit": 1},
            Allow,
            "3 of 3 samples taken, 1 failed",
        ),
        (
            [vector("0"), vector("5"), vector("6")],
            {"samples": 9, "failure_limit": 1},
            Deny,
            "gave 6, which is not < 1; 3 of 9 samples taken, 2 failed, where 1 may",
        ),
        (
            [vector("5"), vector("0"), vector("0")],
            {"samples": 9, "failure_limit": 3, "consecutive": 2},
            Allow,
            "the last 2 samples passed; 3 of 9 samples taken",
        ),
        (
            [vector("5"), vector("0"), vector("5"), vector("0")],
            {"samples": 4, "failure_limit": 3, "consecutive": 2},
            Deny,
            "no 2 samples in a row passed",
        ),
    ],
)
async def test_what_samples_come_to(
    server: Answering, bodies: list[Any], config: dict[str, Any], kind: type[Verdict], told: str
) -> None:
    answers(server, bodies)
    verdict, waits = await last_word(gate(server, **config))
    assert isinstance(verdict, kind)
    assert told in verdict.reason
    assert len(server.asked) == waits + 1


async def test_the_query_goes_out_as_the_api_wants_it(server: Answering) -> None:
    answers(server, [vector("0")])
    services = Services(secrets={"env:AUTH": "Bearer abc"})
    asked = gate(
        server,
        services,
        query='up{version="${{ release.version }}",n="${{ environment.order }}"}',
        headers={"Authorization": {"secret": "env:AUTH"}},
    )
    assert isinstance(await asked.at(), Allow)
    (request,) = server.asked
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == "Bearer abc"
    assert parse_qs(request.body.decode()) == {"query": ['up{version="1.0.0",n="1"}']}
    assert services.beats


async def test_between_two_samples_it_waits_and_takes_none_however_often_it_is_asked(
    server: Answering,
) -> None:
    answers(server, [vector("0")])
    asked = gate(server, samples=2, interval="1m", initial_delay="30s")
    first = await asked.at()
    assert isinstance(first, Defer)
    assert first.until == NOON + timedelta(seconds=30)
    assert not server.asked
    second = await asked.at(NOON + timedelta(seconds=30))
    assert isinstance(second, Defer)
    assert second.until == NOON + timedelta(seconds=90)
    assert "1 of 2 samples taken" in second.reason
    for seconds in (31, 60, 89.999):
        again = await asked.at(NOON + timedelta(seconds=seconds))
        assert isinstance(again, Defer)
        assert (again.until, again.memory) == (second.until, second.memory)
    assert len(server.asked) == 1
    assert isinstance(await asked.at(NOON + timedelta(seconds=90)), Allow)


async def test_the_samples_are_on_record(server: Answering) -> None:
    answers(server, [vector("0.25"), vector("3", "0.5")])
    verdict, _ = await last_word(gate(server, samples=2))
    assert verdict.evidence == {
        "samples": [
            {"at": "2026-03-02T12:00:00Z", "found": "passed", "values": ["0.25"], "series": 1},
            {"at": "2026-03-02T12:01:00Z", "found": "failed", "values": ["3", "0.5"], "series": 2},
        ]
    }
    assert verdict.attributes == {
        "metric.samples": 2,
        "metric.failed": 1,
        "metric.threshold": "< 1",
        "metric.value": 3.0,
    }


async def test_the_longest_record_fits(server: Answering) -> None:
    answers(server, [vector(*(["1234567890.123456789012345678901234567890"[:40]] * 20))])
    verdict, _ = await last_word(
        gate(server, samples=100, failure_limit=99, operator=">", interval="1s")
    )
    assert len(canonical_json(verdict.evidence)) <= MAX_EVIDENCE_BYTES


@pytest.mark.parametrize(
    ("answer", "told", "retryable"),
    [
        (Answer(503, "overloaded"), "answered 503", True),
        (Answer(429, headers={"Retry-After": "9"}), "answered 429", True),
        (
            Answer(400, {"status": "error", "errorType": "bad_data", "error": "parse error at 3"}),
            "answered 400: parse error at 3",
            False,
        ),
        (Answer(401, "who are you?\n"), "answered 401: who are you?", False),
        (Answer(200, "<html>login</html>"), "neither a scalar nor a vector", False),
        (
            Answer(200, {"status": "success", "data": {"resultType": "matrix", "result": []}}),
            "neither a scalar nor a vector",
            False,
        ),
        (Answer(200, vector("many")), "what is no number", False),
        (Answer(200, vector("1" * 41)), "what is no number: 41 characters", False),
    ],
)
async def test_what_breaks_it(
    server: Answering, answer: Answer, told: str, retryable: bool
) -> None:
    answers(server, [answer])
    with pytest.raises(GateError, match=told) as broken:
        await gate(server).at()
    assert broken.value.retryable is retryable
    assert broken.value.retry_after == (9 if answer.status == 429 else None)


async def test_an_expression_that_comes_to_no_text_breaks_it(server: Answering) -> None:
    for expression in ("release.components", "release.components[7].name"):
        with pytest.raises(GateError, match=re.escape(expression)):
            await gate(server, query=f"up{{v='${{{{ {expression} }}}}'}}").at()
    assert not server.asked


async def test_a_missing_secret_breaks_it_at_once(server: Answering) -> None:
    with pytest.raises(GateError, match="env:AUTH") as broken:
        await gate(server, headers={"Authorization": {"secret": "env:AUTH"}}).at()
    assert not broken.value.retryable
    assert not server.asked


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "prometheus:9090"},
        {"query": ""},
        {"query": "up{v='${{ release.nothing }}'}"},
        {"query": "up{v='${{ gates.scan.reason }}'}"},
        {"query": "up{v='${{ release.name'}"},
        {"operator": "=<"},
        {"threshold": "NaN"},
        {"samples": 0},
        {"samples": 101},
        {"interval": "500ms"},
        {"failure_limit": 1},
        {"samples": 3, "consecutive": 4},
        {"on_no_data": "maybe"},
        {"condition": "x < 1"},
    ],
)
def test_a_wrong_configuration_is_refused(changes: dict[str, Any]) -> None:
    good = {"url": "http://prometheus:9090", "query": QUERY, "operator": "<", "threshold": 1}
    assert MetricConfig.model_validate(good)
    with pytest.raises(ValidationError):
        MetricConfig.model_validate({**good, **changes})
