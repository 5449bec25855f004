"""The node type `http`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import StrictBool

from engine.actions.http import call
from engine.actions.references import SecretRef
from engine.actions.urls import shown
from engine.errors import StepError
from engine.model.base import Document
from engine.templates.nodes.expectation import ExpectedAnswer, body_of, check_answer
from engine.templates.protocol import StepReport, StepServices, StepWork


class HttpInputs(ExpectedAnswer):
    """What an http step takes: the request, and the answer that it expects.

    Attributes:
        sign_with: the key with which the request is signed by Standard Webhooks
            (https://www.standardwebhooks.com).
        keep_body: whether the answer's body is handed on to other steps.
    """

    sign_with: SecretRef | None = None
    keep_body: StrictBool = True


class Http:
    """Calls a URL. Puts out `status`, and `body`: as JSON data, or as text where it is none.

    A request that changes something carries the header `Idempotency-Key`, the same for each
    attempt of the step.
    """

    inputs: ClassVar[type[Document]] = HttpInputs
    type: ClassVar[str] = "http"

    async def work(self, work: StepWork, services: StepServices) -> StepReport:
        """Make the request."""
        inputs = HttpInputs.model_validate(work.inputs)
        answer = await call(
            inputs,
            resolve_secret=services.secret,
            sign_with=None if inputs.sign_with is None else inputs.sign_with.secret,
            idempotency_key=work.idempotency_key,
            heartbeat=services.heartbeat,
        )
        status = {"status": answer.status}
        try:
            check_answer(inputs, answer)
        except StepError as error:
            raise StepError(f"{_where(inputs)} {error}", status) from error
        outputs = {**status, "body": body_of(answer)} if inputs.keep_body else {**status}
        return StepReport(detail=f"{_where(inputs)} answered {answer.status}", outputs=outputs)


def _where(inputs: HttpInputs) -> str:
    url = shown(inputs.url) if isinstance(inputs.url, str) else f"the URL of {inputs.url.secret}"
    return f"{inputs.method} {url}"
