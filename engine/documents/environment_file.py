"""Environment files: what `promote apply -f` reads."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from uuid import UUID

import engine.drivers.registry as drivers
from engine.documents.checker import Checker
from engine.documents.gate_section import named_gates
from engine.documents.people_section import check_people
from engine.documents.signing_section import check_signing
from engine.documents.source import Location, SourceDocument
from engine.documents.template_section import chosen_template
from engine.documents.yaml import read
from engine.model.base import Document
from engine.model.environment import (
    Environment,
    EnvironmentDefinition,
    EnvironmentDocument,
    EnvironmentFile,
    Target,
    TargetDocument,
)
from engine.model.identity import agent_id, environment_id, target_id, tenant_id
from engine.model.spelling import suggestion
from engine.templates.library import BUILT_IN, Library


def load_environments(path: Path, library: Library = BUILT_IN) -> tuple[EnvironmentDefinition, ...]:
    """Read an environment file that names no templates and environments but those given here.

    A gate without a name gets its type's, with `-2`, `-3` … where an earlier gate has that name.

    Args:
        library: the templates that it may name.

    Raises:
        InputError: names every place that is wrong.
    """
    source = read(path)
    return definitions_of(source, source.validate(EnvironmentFile), library)


def definitions_of(
    source: SourceDocument,
    document: EnvironmentFile,
    library: Library,
    others: Collection[str] | None = (),
) -> tuple[EnvironmentDefinition, ...]:
    """The environments of a file, checked down to what gates, nodes and drivers take.

    Args:
        document: the file's data.
        others: the names of the tenant's environments beside those of the file; None when
            they are not known.

    Raises:
        InputError: names every place that is wrong.
    """
    checker = Checker(source, document.groups)
    check_people(checker, document)
    check_signing(checker, document)
    definitions = tuple(
        _definition(checker, document, each, ("environments", index), library)
        for index, each in enumerate(document.environments)
    )
    _check_across(checker, document.environments, others)
    checker.raise_problems()
    return definitions


def _definition(
    checker: Checker,
    document: EnvironmentFile,
    given: EnvironmentDocument,
    location: Location,
    library: Library,
) -> EnvironmentDefinition:
    tenant = tenant_id(document.tenant)
    environment = environment_id(tenant, given.name)
    chosen = chosen_template(checker, given, location, library)
    return EnvironmentDefinition(
        tenant=document.tenant,
        environment=Environment(
            id=environment,
            tenant_id=tenant,
            name=given.name,
            order=given.order,
            groups=document.groups,
            gates=named_gates(checker, given.gates, (*location, "gates")),
            template=chosen.template,
            template_ref=chosen.reference,
            parameters=given.parameters,
            keys=document.keys,
            delegations=document.delegations,
            strategy=given.strategy,
            queue=given.queue,
            auto=given.auto,
            sampling=given.sampling,
            keep_traces=given.keep_traces,
        ),
        targets=_targets(checker, given.targets, (*location, "targets"), tenant, environment),
    )


def _targets(
    checker: Checker,
    given: tuple[TargetDocument, ...],
    location: Location,
    tenant: UUID,
    environment: UUID,
) -> tuple[Target, ...]:
    known = drivers.names()
    for index, target in enumerate(given):
        if target.driver in known:
            checker.config(
                (*location, index),
                target.config,
                partial(drivers.check_config, target.driver, target.config),
                partial(_driver_model, target.driver),
            )
        else:
            problem = f"no driver is called {target.driver!r}"
            remedy = suggestion(target.driver, known, "known drivers")
            checker.add((*location, index, "driver"), problem, remedy)
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


def _check_across(
    checker: Checker, environments: tuple[EnvironmentDocument, ...], others: Collection[str] | None
) -> None:
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
    _check_automatic(checker, environments, others)


def _check_automatic(
    checker: Checker, environments: tuple[EnvironmentDocument, ...], others: Collection[str] | None
) -> None:
    """Each `auto.after` names an environment of the tenant, and they lead back to none."""
    names = list(dict.fromkeys([*(each.name for each in environments), *(others or ())]))
    after = {each.name: each.auto.after for each in environments if each.auto is not None}
    for index, each in enumerate(environments):
        if each.auto is None:
            continue
        location = ("environments", index, "auto", "after")
        if others is not None and each.auto.after not in names:
            problem = f"the tenant has no environment {each.auto.after!r}"
            checker.add(location, problem, suggestion(each.auto.after, names, "environments"))
            continue
        chain = [each.name]
        while (before := after.get(chain[-1])) is not None and before not in chain:
            chain.append(before)
        if before == each.name:
            listed = " comes after ".join([*chain, before])
            problem = f"a cycle: {listed}, so that nothing would ever begin"
            checker.add(location, problem, "name the environment before it")
