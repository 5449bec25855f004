"""Environment files: what `promote apply -f` reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

import engine.drivers.registry as drivers
import engine.gates.registry as gates
from engine.documents.problems import explain
from engine.documents.source import Location, Problem, SourceDocument
from engine.documents.yaml import read
from engine.errors import InputError
from engine.model.base import Document, Json
from engine.model.environment import (
    Environment,
    EnvironmentDefinition,
    EnvironmentDocument,
    EnvironmentFile,
    Gate,
    Target,
    TargetDocument,
)
from engine.model.gate_config import Groups
from engine.model.identity import agent_id, environment_id, target_id, tenant_id
from engine.model.template import Template
from engine.templates import builtin, validate


def load_environments(path: Path) -> tuple[EnvironmentDefinition, ...]:
    """Read an environment file and check all of it, down to what gates and drivers take.

    A gate without a name gets its type's, with `-2`, `-3` … where an earlier gate has that name.

    Raises:
        InputError: names every line that is wrong.
    """
    source = read(path)
    document = source.validate(EnvironmentFile)
    checker = _Checker(source, document.groups)
    definitions = [
        _definition(checker, document, each, ("environments", index))
        for index, each in enumerate(document.environments)
    ]
    _check_across(checker, document.environments)
    if checker.problems:
        raise source.error(checker.problems)
    return tuple(definitions)


@dataclass
class _Checker:
    """Runs checks over one file and collects what is wrong."""

    source: SourceDocument
    groups: Groups
    problems: list[Problem] = field(default_factory=list)

    def add(self, location: Location, problem: str, remedy: str) -> None:
        self.problems.append(Problem(location, problem, remedy))

    def config(
        self,
        location: Location,
        config: dict[str, Json],
        check: Callable[[], None],
        model: Callable[[], type[Document]],
    ) -> None:
        """Run `check`; what it refuses is told by `model`, which knows every place, if it can."""
        try:
            check()
        except InputError as error:
            try:
                model().model_validate(config, context={"groups": self.groups})
            except InputError:
                key = error.field.rpartition(".")[2]
                self.add((*location, key), error.problem, error.remedy)
            except ValidationError as details:
                for each in explain(details, config, model()):
                    self.add((*location, "config", *each.location), each.problem, each.remedy)
            else:
                self.add((*location, "config"), error.problem, error.remedy)

    def names(self, location: Location, names: Sequence[str], what: str) -> None:
        """Refuse a name that an earlier entry of the list at `location` has."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                problem = f"{name!r} is the name of an earlier {what}"
                self.add((*location, index, "name"), problem, "give it another name")
            seen.add(name)


def _definition(
    checker: _Checker, document: EnvironmentFile, given: EnvironmentDocument, location: Location
) -> EnvironmentDefinition:
    tenant = tenant_id(document.tenant)
    environment = environment_id(tenant, given.name)
    return EnvironmentDefinition(
        tenant=document.tenant,
        environment=Environment(
            id=environment,
            tenant_id=tenant,
            name=given.name,
            order=given.order,
            groups=document.groups,
            gates=_gates(checker, given.gates, (*location, "gates")),
            template=_template(checker, given.template, (*location, "template")),
            strategy=given.strategy,
            sampling=given.sampling,
            keep_traces=given.keep_traces,
        ),
        targets=_targets(checker, given.targets, (*location, "targets"), tenant, environment),
    )


def _gates(checker: _Checker, given: tuple[Gate, ...], location: Location) -> tuple[Gate, ...]:
    named: list[Gate] = []
    taken = {gate.name for gate in given if gate.name}
    for index, gate in enumerate(given):
        checker.config(
            (*location, index),
            gate.config,
            partial(gates.check, gate, checker.groups),
            partial(_gate_model, gate.type),
        )
        name = gate.name or _free_name(gate.type, taken)
        taken.add(name)
        try:
            named.append(Gate(type=gate.type, name=name, config=gate.config))
        except ValidationError:
            # The type of a plugin need not be usable as a name.
            checker.add((*location, index, "name"), "is missing", "give this gate a name")
    checker.names(location, [gate.name for gate in named], "gate")
    return tuple(named)


def _free_name(type: str, taken: set[str]) -> str:
    candidate, number = type, 1
    while candidate in taken:
        number += 1
        candidate = f"{type}-{number}"
    return candidate


def _gate_model(type: str) -> type[Document]:
    return gates.get(type).config


def _template(checker: _Checker, given: str | Template, location: Location) -> Template:
    try:
        template = builtin.resolve(given)
        validate.check(template, checker.groups)
    except InputError as error:
        checker.add(_within(given, location, error.field), error.problem, error.remedy)
    else:
        return template
    # The file is refused anyway; any template does for the rest of the checks.
    return given if isinstance(given, Template) else builtin.resolve("standard")


def _within(given: str | Template, location: Location, path: str) -> Location:
    """The node that an error about `template.<name>.nodes.<id>…` means, where it means one."""
    if isinstance(given, Template):
        for index, node in enumerate(given.nodes):
            prefix = f"template.{given.name}.nodes.{node.id}."
            if path.startswith(prefix):
                return (*location, "nodes", index, *path.removeprefix(prefix).split("."))
    return location


def _targets(
    checker: _Checker,
    given: tuple[TargetDocument, ...],
    location: Location,
    tenant: UUID,
    environment: UUID,
) -> tuple[Target, ...]:
    for index, target in enumerate(given):
        checker.config(
            (*location, index),
            target.config,
            partial(drivers.check_config, target.driver, target.config),
            partial(_driver_model, target.driver),
        )
    checker.names(location, [target.name for target in given], "target")
    return tuple(
        Target(
            id=target_id(environment, target.name),
            agent_id=agent_id(tenant, target.agent),
            **dict(target),
        )
        for target in given
    )


def _driver_model(name: str) -> type[Document]:
    return drivers.get(name).config


def _check_across(checker: _Checker, environments: tuple[EnvironmentDocument, ...]) -> None:
    checker.names(("environments",), [each.name for each in environments], "environment")
    # An agent keeps a target's state in a directory of the target's name.
    seen: dict[tuple[str, str], str] = {}
    for index, environment in enumerate(environments):
        for position, target in enumerate(environment.targets):
            owner = seen.setdefault((target.agent, target.name), environment.name)
            if owner != environment.name:
                checker.add(
                    ("environments", index, "targets", position, "name"),
                    f"the agent {target.agent!r} already has a target {target.name!r}, "
                    f"in the environment {owner!r}",
                    "give the target another name, or another agent",
                )
