"""The node type `command`."""

from __future__ import annotations

import json
from typing import ClassVar, Literal

from engine.actions.command import CommandRequest, CommandResult, run
from engine.errors import StepError
from engine.model.base import Document, Json
from engine.templates.nodes.expectation import ExpectedEnd, check_end
from engine.templates.protocol import StepReport, StepServices, StepWork


class CommandInputs(ExpectedEnd):
    """What a command step takes: the program, and how it has to end.

    Attributes:
        outputs: `json` when its standard output is a JSON object, which the step then puts out;
            with `none` it puts out the exit code.
    """

    outputs: Literal["none", "json"] = "none"


class Command:
    """Runs a program on the worker, without a shell.

    Beside the variables given, it finds what it works for in `PROMOTION_ID`, `PROMOTION_RELEASE`,
    `PROMOTION_ENVIRONMENT`, `PROMOTION_TENANT`, `PROMOTION_STEP`, `PROMOTION_STEP_ATTEMPT`, and in
    `IDEMPOTENCY_KEY` what is the same for each attempt of the step.
    """

    inputs: ClassVar[type[Document]] = CommandInputs
    type: ClassVar[str] = "command"

    async def work(self, work: StepWork, services: StepServices) -> StepReport:
        """Run the program."""
        inputs = CommandInputs.model_validate(work.inputs)
        result = await run(
            with_facts(inputs, work),
            resolve_secret=services.secret,
            heartbeat=services.heartbeat,
        )
        outputs: dict[str, Json] = {"exit_code": result.exit_code}
        try:
            check_end(inputs, result)
        except StepError as error:
            raise StepError(str(error), outputs) from error
        if inputs.outputs == "json":
            outputs = _object(inputs, result)
        return StepReport(
            detail=f"{inputs.command[0]} ended with exit code {result.exit_code} "
            f"after {result.seconds:.1f} s",
            outputs=outputs,
        )


def with_facts(request: CommandRequest, work: StepWork) -> CommandRequest:
    """The request with the variables that tell the program what it works for."""
    promotion = work.promotion
    facts = {
        "PROMOTION_ID": str(promotion.promotion_id),
        "PROMOTION_RELEASE": promotion.release.ref,
        "PROMOTION_ENVIRONMENT": promotion.environment.name,
        "PROMOTION_TENANT": promotion.tenant,
        "PROMOTION_STEP": work.node_id,
        "PROMOTION_STEP_ATTEMPT": str(work.attempt),
        "IDEMPOTENCY_KEY": work.idempotency_key,
    }
    return request.model_copy(update={"env": {**request.env, **facts}})


def _object(inputs: CommandInputs, result: CommandResult) -> dict[str, Json]:
    name = inputs.command[0]
    if result.truncated:
        raise StepError(f"{name} wrote more than {inputs.max_output} bytes; raise max_output")
    try:
        given: object = json.loads(result.stdout, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise StepError(f"the standard output of {name} is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise StepError(f"the standard output of {name} is no JSON object")
    return given


def _no_json(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")
