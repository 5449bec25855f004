"""What a step expects of an HTTP answer or of a program's end."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from engine.actions.command import CommandRequest, CommandResult, ending
from engine.actions.http import HttpAnswer, HttpRequest
from engine.errors import InputError, StepError
from engine.expressions.language import Kind, Scope, compiled
from engine.model.base import Json

StatusCode = Annotated[int, Field(ge=100, le=599, strict=True)]
StatusClass = Annotated[str, StringConstraints(pattern=r"^[1-5]xx$")]

LONGEST_LINE = 500
"""Characters of a program's last words that a message repeats."""


def _condition(text: str) -> str:
    if text:
        try:
            compiled(text, Scope.ANSWER, Kind.BOOL)
        except InputError as error:
            told = f"{error.problem}; {error.remedy}" if error.remedy else error.problem
            raise ValueError(told) from error
    return text


class ExpectedAnswer(HttpRequest):
    """A request, and the answer to it that is wanted.

    Attributes:
        status: the codes that are right, e.g. `[200, 204]` or `[2xx]`. 408, 425, 429 and 5xx never
            are: they ask to try again.
        holds: a CEL expression over `status`, `headers` and `body` that has to be true, e.g.
            `body.state == 'ready'`; empty for none. The body is JSON data, or else text.
    """

    status: tuple[StatusCode | StatusClass, ...] = Field(default=("2xx",), min_length=1)
    holds: Annotated[str, AfterValidator(_condition)] = ""


class ExpectedEnd(CommandRequest):
    """A program to run, and the end of it that is wanted.

    Attributes:
        exit_codes: those that are right.
    """

    exit_codes: tuple[Annotated[int, Field(ge=0, le=255, strict=True)], ...] = Field(
        default=(0,), min_length=1
    )


def check_answer(expected: ExpectedAnswer, answer: HttpAnswer) -> None:
    """Do nothing when the answer is as expected.

    Raises:
        StepError: it is not; the message does not repeat the answer's body.
    """
    if not any(_is_like(wanted, answer.status) for wanted in expected.status):
        wanted = ", ".join(str(each) for each in expected.status)
        raise StepError(f"answered {answer.status}, not {wanted}")
    if not expected.holds:
        return
    given = {"status": answer.status, "headers": dict(answer.headers), "body": body_of(answer)}
    try:
        met = compiled(expected.holds, Scope.ANSWER, Kind.BOOL).evaluate(given)
    except InputError as error:
        raise StepError(f"the answer does not fit {expected.holds!r}: {error.problem}") from error
    if met is not True:
        raise StepError(f"its answer does not meet {expected.holds!r}")


def check_end(expected: ExpectedEnd, result: CommandResult) -> None:
    """Do nothing when the program ended as expected.

    Raises:
        StepError: it did not; the message ends with the last line that it wrote.
    """
    if result.exit_code not in expected.exit_codes:
        written = (result.stderr or result.stdout).decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(written) if line.strip()), "")
        told = f": {last[:LONGEST_LINE]}" if last else ""
        raise StepError(f"{expected.command[0]} {ending(result.exit_code)}{told}")


def body_of(answer: HttpAnswer) -> Json:
    """An answer's body as JSON data; as text where it is none."""
    try:
        return answer.json()
    except (ValueError, json.JSONDecodeError):
        return answer.text


def _is_like(wanted: int | str, status: int) -> bool:
    if isinstance(wanted, int):
        return wanted == status
    return wanted[0] == str(status)[0]
