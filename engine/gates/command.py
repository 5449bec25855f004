"""The gate `command`: a program on the worker decides."""

from __future__ import annotations

import json
from typing import ClassVar

from engine.actions import command
from engine.actions.command import CommandRequest, CommandResult
from engine.errors import GateError
from engine.gates.configuration import applied
from engine.gates.outside import Answer, answer_of, asking, last_word, question
from engine.gates.protocol import GateContext, GateServices
from engine.gates.words import first_line, last_line
from engine.model.base import Document, Json
from engine.model.canonical import digest_of_bytes
from engine.model.verdict import AttributeValue, Defer, Verdict

_ALLOWED, _DENIED = 0, 1


class CommandConfig(CommandRequest):
    """What to run; see `CommandRequest`."""


class CommandGate:
    """Runs a program that reads the promotion as JSON on stdin, and takes its word."""

    config: ClassVar[type[Document]] = CommandConfig
    type: ClassVar[str] = "command"
    holds_for_rollbacks: ClassVar[bool] = True

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow or deny; defer when the program says so.

        Raises:
            GateError: it cannot be run, is not allowed to, did not end in time, or ended otherwise
                than with 0 or 1.
        """
        config = applied(context.gate, CommandConfig)
        given = json.dumps(question(context), ensure_ascii=False, allow_nan=False)
        with asking("cannot decide"):
            result = await command.run(
                config,
                resolve_secret=services.secret,
                stdin=given.encode(),
                heartbeat=services.heartbeat,
            )
        name = config.command[0]
        if result.exit_code not in (_ALLOWED, _DENIED):
            said = last_line(result.stderr.decode(errors="replace"))
            told = f"{name} {command.ending(result.exit_code)}"
            raise GateError(f"{told}: {said}" if said else told)
        answer = _answer(name, result)
        verdict: Verdict | None = last_word(
            answer, otherwise=f"{name} {command.ending(result.exit_code)}"
        )
        if verdict is None:
            if answer.until is None:
                raise GateError(f"{name} deferred without saying until when")
            reason = answer.reason or f"{name} asks for time"
            verdict = Defer(reason=reason, until=answer.until)
        attributes: dict[str, AttributeValue] = {
            "process.exit.code": result.exit_code,
            "process.executable.name": name.rpartition("/")[2],
        }
        evidence: dict[str, Json] = {
            "exit_code": result.exit_code,
            "seconds": round(result.seconds, 6),
            "truncated": result.truncated,
        }
        return verdict.model_copy(
            update={
                "attributes": attributes,
                "evidence": evidence,
                "inputs": {"stdout": digest_of_bytes(result.stdout)},
            }
        )


def _answer(name: str, result: CommandResult) -> Answer:
    text = result.stdout.decode(errors="replace")
    plain = Answer(
        verdict="allow" if result.exit_code == _ALLOWED else "deny", reason=first_line(text)
    )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return plain
    if not isinstance(data, dict) or "verdict" not in data:
        return plain
    try:
        given = answer_of(data)
    except ValueError as error:
        raise GateError(f"{name} gave no verdict: {error}") from error
    # An exit code of 1 is a no, whatever else was said.
    return (
        given if result.exit_code == _ALLOWED else plain.model_copy(update={"reason": given.reason})
    )
