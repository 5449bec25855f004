"""In which order a template's nodes run, and under which conditions: for people to look at."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from engine.errors import InputError
from engine.model.base import Duration, Json, Name, Value
from engine.model.explanation import dotted
from engine.model.problem import Problem, merged
from engine.model.template import Node, OnFailure, ParameterType, Template
from engine.templates.graph import waves
from engine.templates.include import written_out
from engine.templates.library import Library
from engine.templates.parameters import wrong


class Source(StrEnum):
    """Where a parameter's value comes from."""

    REQUEST = "request"
    ENVIRONMENT = "environment"
    DEFAULT = "default"
    NOWHERE = "nowhere"


class PlannedParameter(Value):
    """A parameter and the value that it has here.

    Attributes:
        value: None when it comes from nowhere: whoever starts a promotion has to give it.
    """

    name: Name
    type: ParameterType
    description: str
    value: Json
    source: Source


class Condition(Value):
    """What has to be true for a node to run.

    Attributes:
        include: the include whose condition it is; None for the node's own.
    """

    when: str
    include: str | None = None


class PlannedNode(Value):
    """A node in its place.

    Attributes:
        needs: what ends before it, includes written out.
        conditions: all have to hold; without any the node always runs.
        attempts: how often it is tried at most.
        taken_back_by: the type of step that takes its work back; None when nothing does.
    """

    id: Name
    type: str
    needs: tuple[Name, ...]
    conditions: tuple[Condition, ...]
    attempts: int
    timeout: Duration
    on_failure: OnFailure
    taken_back_by: str | None


class Plan(Value):
    """A template as it would run.

    Attributes:
        waves: the nodes of one wave can run side by side; each needs something of the wave before.
            A node starts when its own needs have ended, whatever else its wave waits for.
    """

    template: Name
    version: str
    description: str
    digest: str
    parameters: tuple[PlannedParameter, ...]
    waves: tuple[tuple[PlannedNode, ...], ...]


def plan(
    template: Template,
    library: Library,
    environment: Mapping[str, Json] | None = None,
    request: Mapping[str, Json] | None = None,
) -> Plan:
    """How a valid template would run.

    Args:
        environment: values for its parameters of an environment.
        request: values of a promotion's request.

    Raises:
        InputError: a value fits no parameter.
    """
    given = {Source.REQUEST: request or {}, Source.ENVIRONMENT: environment or {}}
    expanded = written_out(template, library)
    return Plan(
        template=template.name,
        version=template.version,
        description=template.description,
        digest=expanded.digest,
        parameters=_parameters(template, given),
        waves=tuple(tuple(map(_node, wave)) for wave in waves(expanded.nodes)),
    )


def _parameters(
    template: Template, given: Mapping[Source, Mapping[str, Json]]
) -> tuple[PlannedParameter, ...]:
    known = {**given[Source.ENVIRONMENT], **given[Source.REQUEST]}
    problems = [
        Problem(f"parameters.{dotted(each.location)}", each.problem, each.remedy)
        for each in wrong(template, known)
    ]
    if problems:
        raise InputError(*merged("parameters", problems))
    return tuple(
        PlannedParameter(
            name=name,
            type=declared.type,
            description=declared.description,
            value=known.get(name, declared.default),
            source=_source(name, declared.default, given),
        )
        for name, declared in template.parameters.items()
    )


def _source(name: str, default: Json, given: Mapping[Source, Mapping[str, Json]]) -> Source:
    for source, values in given.items():
        if name in values:
            return source
    return Source.NOWHERE if default is None else Source.DEFAULT


def _node(node: Node) -> PlannedNode:
    around = [
        Condition(
            when=enclosure.when, include=".".join(each.node for each in node.within[: at + 1])
        )
        for at, enclosure in enumerate(node.within)
        if enclosure.when
    ]
    own = [Condition(when=node.when)] if node.when else []
    return PlannedNode(
        id=node.id,
        type=node.type,
        needs=node.needs,
        conditions=(*around, *own),
        attempts=node.retry.attempts,
        timeout=node.timeout,
        on_failure=node.on_failure,
        taken_back_by=None if node.on_rollback is None else node.on_rollback.type,
    )
