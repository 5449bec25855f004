"""Errors that workflows raise and results that failed children carry."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.exceptions import ApplicationError, ChildWorkflowError

from engine.converter import Undecodable
from engine.telemetry.failures import root_cause

PROMOTION_FAILED = "PromotionFailed"
"""The type of the error with which the workflow of a broken promotion fails."""

_Model = TypeVar("_Model", bound=BaseModel)


def refuse(field: str, problem: str, remedy: str = "") -> ApplicationError:
    """A final error about something that a caller gave us."""
    message = f"{field}: {problem}" + (f"; {remedy}" if remedy else "")
    return ApplicationError(message, type="InputError", non_retryable=True)


def parse(model: type[_Model], given: Any, what: str) -> _Model:
    """Read plain JSON data as `model`.

    Raises:
        ApplicationError: it does not fit; the message names every field that is wrong.
    """
    if isinstance(given, model):
        return given
    if isinstance(given, Undecodable):
        raise refuse(
            what, f"cannot be decoded: {given.problem}", f"send JSON with {_fields(model)}"
        )
    if not isinstance(given, dict):
        raise refuse(what, "must be a JSON object", f"with {_fields(model)}")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or what}: {item['msg'].lower()}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise ApplicationError(
            f"{problems}; {what} takes {_fields(model)}", type="InputError", non_retryable=True
        ) from error


def carried(error: ChildWorkflowError, model: type[_Model]) -> _Model | None:
    """The result that a failed child left in its error's details, or None."""
    cause = root_cause(error)
    if isinstance(cause, ApplicationError) and cause.details:
        try:
            return model.model_validate(cause.details[0])
        except ValidationError:
            return None
    return None


def _fields(model: type[BaseModel]) -> str:
    return ", ".join(
        name if field.is_required() else f"{name} (optional)"
        for name, field in model.model_fields.items()
    )
