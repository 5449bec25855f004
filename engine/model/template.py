"""A workflow template: a directed acyclic graph of typed nodes."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from engine.model.base import Document, Duration, Json, Name
from engine.model.canonical import digest_of
from engine.model.release import Version

MAX_NODES = 500
"""How many nodes a template may have, also once all includes are written out."""


class OnFailure(StrEnum):
    """What a node's failure does to the run: end it, let the others go on, or take it back.

    A run that is taken back does the `on_rollback` of the nodes that had succeeded, the last one
    first, and has failed all the same.
    """

    FAIL = "fail"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class RetryPolicy(Document):
    """How often a node is tried when it fails.

    Attributes:
        attempts: in all, the first included.
        interval: before the second attempt.
        backoff: by how much each interval is longer than the one before.
        max_interval: the longest interval.
    """

    attempts: int = Field(default=1, ge=1, le=100, strict=True)
    interval: Duration = Field(default=timedelta(seconds=5), gt=timedelta(0))
    backoff: float = Field(default=2.0, ge=1, le=100)
    max_interval: Duration = Field(default=timedelta(minutes=5), gt=timedelta(0))


class Compensation(Document):
    """What takes a node's work back: a step of its own type and inputs."""

    type: str
    inputs: dict[str, Json] = Field(default_factory=dict)
    timeout: Duration = timedelta(hours=1)


class ParameterType(StrEnum):
    """What values a parameter takes; `duration` is text such as `15m`."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DURATION = "duration"
    LIST = "list"
    MAP = "map"


class Parameter(Document):
    """A value that whoever uses the template gives.

    Attributes:
        default: taken when none is given; a parameter without one has to be given.
        choices: the only values that are allowed; empty for any of the type.
    """

    type: ParameterType = ParameterType.STRING
    description: str = ""
    default: Json = None
    choices: tuple[Json, ...] = ()


class Enclosure(Document):
    """An include that a node came out of, as far as the node's expressions need to know.

    Attributes:
        node: the include's id, within the template that holds it.
        when: the include's own condition, in the scope around it.
        parameters: of the included template, all of them; what the include gives may hold
            expressions, which speak in the scope around it.
        declared: those parameters that are given by expressions, to hold what they come to
            against.
    """

    node: str
    when: str = ""
    parameters: dict[Name, Json] = Field(default_factory=dict)
    declared: dict[Name, Parameter] = Field(default_factory=dict)


class Node(Document):
    """One step of a template.

    Attributes:
        id: unique within the template.
        type: a registered node type, e.g. `deploy`.
        inputs: what the node type takes; checked by it. Text in it may hold `${{ … }}`, a CEL
            expression over the promotion, the parameters, and what earlier nodes put out.
        needs: ids of the nodes that must have ended before this one starts.
        when: a CEL expression over the same; when it is false the node is skipped, and those that
            need it go on as if it had succeeded. Empty: always run.
        timeout: upper bound of the whole step, retries and waiting included. Tried again by a
            person, the step has all of it once more.
        halt: how long a node whose failure would end the run, or have it taken back, waits for
            somebody who has it tried again (`promote retry`). Meanwhile nodes that do not need it
            go on. Zero: the failure takes effect at once.
        on_rollback: what takes this node's work back.
        within: the includes that it came out of, the outermost first; nobody writes it.
    """

    id: Name
    type: str
    inputs: dict[str, Json] = Field(default_factory=dict)
    needs: tuple[Name, ...] = ()
    when: str = ""
    retry: RetryPolicy = RetryPolicy()
    timeout: Duration = timedelta(hours=24)
    on_failure: OnFailure = OnFailure.FAIL
    halt: Duration = Field(default=timedelta(0), ge=timedelta(0), le=timedelta(days=365))
    on_rollback: Compensation | None = None
    within: Annotated[tuple[Enclosure, ...], SkipJsonSchema()] = ()


class Template(Document):
    """A named, versioned template.

    Attributes:
        parameters: what whoever uses it may or has to give, by name.
    """

    name: Name
    version: Version = "1"
    description: str = ""
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    nodes: tuple[Node, ...] = Field(min_length=1, max_length=MAX_NODES)

    @property
    def digest(self) -> str:
        """Digest of the whole definition."""
        return digest_of(self)


class TemplateFile(Template):
    """A template file, as `promote apply -f` reads it."""

    tenant: Name = "default"

    @property
    def template(self) -> Template:
        """The template itself."""
        return Template(**{name: getattr(self, name) for name in Template.model_fields})
