"""A failure as data: what broke, in a form that history, spans and evidence can carry."""

from __future__ import annotations

from engine.model.base import Value


class Failure(Value):
    """What broke.

    Attributes:
        type: the error's class name, e.g. `DigestMismatchError`.
        message: one line for a person.
        stacktrace: where it was raised; empty when the failure has none (a timeout).
    """

    type: str
    message: str
    stacktrace: str = ""
