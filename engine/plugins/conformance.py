"""Whether a plugin keeps to the protocol: it is called as a promotion would call it, and worse.

All calls have `context.check`, by which a plugin knows that nothing that lasts is to be done.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ValidationError

from engine.errors import InputError, PluginError
from engine.model.base import Json, Value
from engine.model.explanation import dotted
from engine.model.problem import merged, problems_of
from engine.plugins import schema
from engine.plugins.calls import Unrecorded
from engine.plugins.executable import Executable, parse
from engine.plugins.messages import (
    DriverReply,
    GateReply,
    NotifyReply,
    SecretReply,
    StepReply,
)
from engine.plugins.protocol import METHODS, PROTOCOL, Call, Method, Offer, OfferKind
from engine.plugins.registry import DESCRIBE_LIMIT, Installed, at, find
from engine.plugins.samples import KEY, sample
from engine.plugins.use import context

REPLIES: Mapping[Method, type[BaseModel]] = {
    Method.GATE_EVALUATE: GateReply,
    Method.STEP_RUN: StepReply,
    Method.NOTIFY: NotifyReply,
    Method.SECRET_RESOLVE: SecretReply,
    Method.DRIVER_PULL: DriverReply,
    Method.DRIVER_DEPLOY: DriverReply,
    Method.DRIVER_HEALTH_CHECK: DriverReply,
}

_MOST_UNFIT = 8
_RUBBISH = (b"", b"no JSON at all", b"[]", b'{"protocol": 1, "method": "describe"', b"\xff\xfe\0")


class Mark(StrEnum):
    """How one rule came out; `skipped` where there was nothing to try it with."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Value):
    """One rule of the protocol, and whether the plugin keeps it.

    Attributes:
        subject: what of the plugin was tried: an offer, a method, or the plugin itself.
    """

    subject: str
    rule: str
    mark: Mark
    detail: str = ""


async def examine(
    reference: str | Path, inputs: Sequence[dict[str, Json]] = ()
) -> tuple[Finding, ...]:
    """Try a plugin out.

    Args:
        reference: the path of an executable, or the id of an installed plugin.
        inputs: to try its offers with, those that fit; beside the examples that it gives.
    """
    try:
        installed = await (
            at(reference, Unrecorded())
            if isinstance(reference, Path)
            else find(reference, Unrecorded())
        )
    except InputError as error:
        return (_finding(str(reference), "says what it offers", str(error)),)
    with tempfile.TemporaryDirectory(prefix="promote-plugin-") as directory:
        examiner = _Examiner(installed, inputs, Path(directory))
        return tuple([finding async for finding in examiner.findings()])


class _Examiner:
    def __init__(
        self, installed: Installed, inputs: Sequence[dict[str, Json]], directory: Path
    ) -> None:
        self._installed = installed
        self._inputs = inputs
        self._directory = directory

    async def findings(self) -> AsyncIterator[Finding]:
        plugin = self._installed
        offers = ", ".join(
            f"{offer.kind.value} {offer.name}" for offer in plugin.description.offers
        )
        yield _finding(plugin.id, "says what it offers, with valid schemas", "", offers)
        for offer in plugin.description.offers:
            async for finding in self._offer(offer):
                yield finding
        if isinstance(plugin.runner, Executable):
            yield await self._same_description(plugin.runner)
            yield await self._rubbish(plugin.runner)
            yield await self._other_protocol(plugin.runner)

    async def _offer(self, offer: Offer) -> AsyncIterator[Finding]:
        subject = f"{offer.kind.value} {offer.name}"
        wrong = [
            f"example {number}: {dotted(problem.location)} {problem.problem}"
            for number, example in enumerate(offer.examples, start=1)
            for problem in schema.problems(offer.input_schema, example)
        ]
        yield _finding(subject, "its examples fit its schema", "; ".join(wrong))
        fitting = [
            each
            for each in (*offer.examples, *self._inputs)
            if not schema.problems(offer.input_schema, each)
        ]
        if not fitting and not schema.problems(offer.input_schema, {}):
            fitting = [{}]
        for method in METHODS[offer.kind]:
            yield await self._answers(offer, method, fitting)
            yield await self._refuses(offer, method, fitting)
        if offer.kind is OfferKind.GATE:
            yield await self._decides_the_same(offer, fitting)

    async def _answers(
        self, offer: Offer, method: Method, fitting: list[dict[str, Json]]
    ) -> Finding:
        rule = f"answers in time, within {offer.timeout.total_seconds():g} s"
        if not fitting:
            return _untried(method, rule)
        try:
            for inputs in fitting:
                await self._ask(offer, method, inputs)
        except PluginError as error:
            return _finding(method.value, rule, str(error))
        return _finding(method.value, rule, "", f"{len(fitting)} calls")

    async def _refuses(
        self, offer: Offer, method: Method, fitting: list[dict[str, Json]]
    ) -> Finding:
        rule = "refuses inputs that do not fit its schema"
        unfit = list(_unfit(offer.input_schema, fitting[0] if fitting else {}))[:_MOST_UNFIT]
        if not unfit:
            return _finding(method.value, rule, "", "its schema lets everything through")
        for inputs in unfit:
            try:
                await self._ask(offer, method, inputs)
            except PluginError as error:
                if error.kind == PluginError.__name__:
                    told = f"does not refuse {_short(inputs)} but {error}"
                    return _finding(method.value, rule, told)
            else:
                return _finding(method.value, rule, f"takes {_short(inputs)}")
        return _finding(method.value, rule, "", f"{len(unfit)} calls")

    async def _decides_the_same(self, offer: Offer, fitting: list[dict[str, Json]]) -> Finding:
        subject, rule = f"gate {offer.name}", "decides the same when it is asked the same again"
        if not fitting:
            return _untried(subject, rule)
        try:
            for inputs in fitting:
                first = await self._ask(offer, Method.GATE_EVALUATE, inputs)
                second = await self._ask(offer, Method.GATE_EVALUATE, inputs)
                if first != second:
                    told = f"first {_short(first)}, then {_short(second)}"
                    return _finding(subject, rule, told)
        except PluginError as error:
            return _finding(subject, rule, str(error))
        return _finding(subject, rule, "")

    async def _ask(self, offer: Offer, method: Method, inputs: dict[str, Json]) -> dict[str, Json]:
        """Call without holding the inputs against the schema; the answer is held against its."""
        filled = sample(method, self._directory).model_copy(
            update={"name": offer.name, "inputs": inputs}
        )
        call = Call(
            method=method,
            params=filled.model_dump(mode="json"),
            context=context(KEY, offer.timeout, check=True),
        )
        answer = await self._installed.runner.ask(call, offer.timeout, _beat)
        try:
            REPLIES[method].model_validate(answer)
        except ValidationError as error:
            problem = merged("result", problems_of(error, answer, "result"))
            raise PluginError(
                f"its answer cannot be used: {problem.field}: {problem.problem}"
            ) from (error)
        return answer

    async def _same_description(self, program: Executable) -> Finding:
        rule = "says the same each time"
        call = Call(method=Method.DESCRIBE, context=context("describe", DESCRIBE_LIMIT, check=True))
        try:
            first = await program.ask(call, DESCRIBE_LIMIT, _beat)
            second = await program.ask(call, DESCRIBE_LIMIT, _beat)
        except PluginError as error:
            return _finding("describe", rule, str(error))
        return _finding("describe", rule, "" if first == second else "the second answer differs")

    async def _rubbish(self, program: Executable) -> Finding:
        rule = "answers what is no call with an error"
        for rubbish in _RUBBISH:
            problem = await _unanswered(program, rubbish)
            if problem:
                return _finding("stdin", rule, f"on {rubbish!r} it {problem}")
        return _finding("stdin", rule, "", f"{len(_RUBBISH)} calls")

    async def _other_protocol(self, program: Executable) -> Finding:
        call = Call(method=Method.DESCRIBE, context=context("describe", DESCRIBE_LIMIT, check=True))
        known = call.model_dump(mode="json")
        wrong = {"protocol": PROTOCOL + 1, "method": "no.such.method"}
        rule = "answers another protocol, and a method that it does not know, with an error"
        for key, value in wrong.items():
            problem = await _unanswered(program, json.dumps({**known, key: value}).encode())
            if problem:
                return _finding("stdin", rule, f"with {key} {value!r} it {problem}")
        return _finding("stdin", rule, "")


async def _unanswered(program: Executable, stdin: bytes) -> str:
    """In which way the program did not answer with an error; empty when it did."""
    try:
        result = await program.run(stdin, DESCRIBE_LIMIT, _beat)
        if result.exit_code != 0:
            return f"ended with exit code {result.exit_code}"
        return "gave a result" if parse(result.stdout).error is None else ""
    except PluginError as error:
        return str(error)


def _unfit(declared: Mapping[str, Json], fitting: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """Inputs that are no good by the schema: too few, too many, and each of a wrong type."""
    properties = declared.get("properties")
    candidates: list[dict[str, Json]] = [{}, {**fitting, "no-such-input": 1}]
    if isinstance(properties, dict):
        wrong: tuple[Json, ...] = (None, [], {"no": "such"}, -1.5, "\0", True)
        candidates += [{**fitting, name: value} for name in properties for value in wrong]
    for candidate in candidates:
        if schema.problems(declared, candidate):
            yield candidate


def _finding(subject: str, rule: str, problem: str, detail: str = "") -> Finding:
    mark = Mark.FAILED if problem else Mark.PASSED
    return Finding(subject=subject, rule=rule, mark=mark, detail=problem or detail)


def _untried(subject: str, rule: str) -> Finding:
    told = "no inputs to try it with; let it give examples, or use --inputs"
    return Finding(subject=subject, rule=rule, mark=Mark.SKIPPED, detail=told)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _beat() -> None:
    """Nobody waits for a sign of life."""
