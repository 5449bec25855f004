"""Every error that crosses a public boundary of the engine.

Third-party exceptions are translated into one of these where they occur. Each class carries the
exit code that the command line ends with, so that CI can tell the cases apart (see the README).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the `promote` command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DENIED = 3
    TIMED_OUT = 4
    UNREACHABLE = 5


class PromotionEngineError(Exception):
    """Base of every error that the engine raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class InputError(PromotionEngineError):
    """Something that a person or a program gave us is wrong.

    Attributes:
        field: the name of the offending field, option or file, as the giver wrote it.
        problem: what is wrong with it, in one clause.
        remedy: what to do about it, in one clause; may be empty where it is obvious.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        self.field = field
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{field}: {problem}" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return type(self), (self.field, self.problem, self.remedy)


class NotFoundError(InputError):
    """A release, environment, promotion or tenant that was named does not exist."""


class ConflictError(InputError):
    """What was given contradicts something that is already recorded and immutable."""


class SchemaVersionError(PromotionEngineError):
    """The database is on another schema revision than this code; the message says what to run."""

    exit_code = ExitCode.USAGE


class UnreachableError(PromotionEngineError):
    """A server that is needed (Temporal, the database) did not answer."""

    exit_code = ExitCode.UNREACHABLE


class DeniedError(PromotionEngineError):
    """The promotion was denied, rejected, cancelled or superseded: a decision, not a fault."""

    exit_code = ExitCode.DENIED


class WaitTimeoutError(PromotionEngineError):
    """The caller's own waiting time ran out; the promotion itself goes on."""

    exit_code = ExitCode.TIMED_OUT


class CallError(PromotionEngineError):
    """Something outside (a URL, a program) could not be called, or gave no usable answer.

    Attributes:
        retryable: whether the same call may succeed when it is made again unchanged.
        retry_after: seconds that it asked to be left alone for; None when it said nothing.
    """

    def __init__(
        self, message: str, *, retryable: bool = True, retry_after: float | None = None
    ) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        super().__init__(message)


class PluginError(CallError):
    """A plugin gave no usable answer: it crashed, took too long, said too much, or refused.

    Attributes:
        kind: the class of errors that the plugin itself named; otherwise this class's name.
    """

    def __init__(self, message: str, *, retryable: bool = True, kind: str = "PluginError") -> None:
        self.kind = kind
        super().__init__(message, retryable=retryable)


class GateError(PromotionEngineError):
    """A gate could not reach a verdict because something that it reads is broken.

    Attributes:
        retryable: whether it may decide when it is asked again unchanged.
        retry_after: seconds to wait before that; None for the usual pause.
    """

    def __init__(
        self, message: str, *, retryable: bool = False, retry_after: float | None = None
    ) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        super().__init__(message)


class StepError(PromotionEngineError):
    """A step of a template came to a negative end: a check that does not hold, a command's code.

    Attributes:
        outputs: what it learnt all the same, as JSON data by name; None for nothing.
    """

    def __init__(self, message: str, outputs: Mapping[str, object] | None = None) -> None:
        self.outputs = outputs
        super().__init__(message)


class DriverError(PromotionEngineError):
    """A driver could not bring a target to the wanted state.

    Attributes:
        retryable: whether the same task may succeed when it is tried again unchanged.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        self.retryable = retryable
        super().__init__(message)


class DigestMismatchError(DriverError):
    """The fetched bytes are not the ones that the release names."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class HealthCheckError(DriverError):
    """The target did not become healthy in the time given."""


class ProcessTreeError(PromotionEngineError):
    """A process of the embedded system could not be started, or did not stay up."""


class EvidenceError(PromotionEngineError):
    """Evidence could not be made, or does not verify."""
