"""Policy tests: made-up promotions through the gates' own code, offline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.documents.definitions import checked, read_definitions
from engine.documents.source import Location, Problem
from engine.documents.yaml import read
from engine.errors import InputError
from engine.gates.freezes import STOP_THE_LINE, keeper
from engine.model.base import Value
from engine.model.environment import EnvironmentDefinition
from engine.policy.cases import ExpectedGate, PolicyCase, PolicyTestFile
from engine.policy.evaluation import Finding, Outcome, Verdicts, evaluate, verdict_of
from engine.policy.scene import LoadedRelease, release_of, scene_of


class CaseReport(Value):
    """How one case went.

    Attributes:
        problems: what is not as expected, a sentence each; empty when the case has passed.
        seconds: how long it took.
    """

    name: str
    environment: str
    decision: Verdicts
    expected: Verdicts
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]
    seconds: float

    @property
    def has_passed(self) -> bool:
        """Whether all is as expected."""
        return not self.problems


class FileReport(Value):
    """How the cases of one file went."""

    file: str
    cases: tuple[CaseReport, ...]

    @property
    def has_passed(self) -> bool:
        """Whether every case has."""
        return all(case.has_passed for case in self.cases)


async def run(path: Path) -> FileReport:
    """Run all cases of a policy test file.

    Raises:
        InputError: the file, or one that it names, cannot be read or is not well-formed; or a case
            names an environment or a gate that there is not.
    """
    source = read(path)
    document = source.validate(PolicyTestFile)
    directory = path.parent
    files = read_definitions([directory / name for name in document.files])
    known = {each.environment.name: each for each in checked(files).environments}
    problems = list(_unknown(document, known))
    if problems:
        raise source.error(problems)
    reports = []
    for index, case in enumerate(document.cases):
        definition = known[_environment(document, case)]
        location: Location = ("release",) if case.release is None else ("cases", index, "release")
        given = document.release if case.release is None else case.release
        try:
            loaded = release_of(given, directory, definition.tenant)
        except InputError as error:
            told = f"{error.field}: {error.problem}"
            raise source.error([Problem(location, told, error.remedy)]) from error
        reports.append(await _run_case(case, definition, loaded))
    return FileReport(file=str(path), cases=tuple(reports))


async def _run_case(
    case: PolicyCase, definition: EnvironmentDefinition, loaded: LoadedRelease
) -> CaseReport:
    began = time.perf_counter()
    scene = scene_of(case, definition, loaded)
    findings = await evaluate(scene.promotion, scene.votes, scene.questions)
    decision = verdict_of(findings)
    return CaseReport(
        name=case.name,
        environment=definition.environment.name,
        decision=decision,
        expected=case.expect.decision,
        findings=findings,
        problems=tuple(_differences(case, decision, findings)),
        seconds=time.perf_counter() - began,
    )


def _differences(
    case: PolicyCase, decision: Verdicts, findings: Sequence[Finding]
) -> Iterator[str]:
    if decision is not case.expect.decision:
        yield f"the decision is {decision}, not {case.expect.decision}"
    by_name = {finding.name: finding for finding in findings}
    for name, given in case.expect.gates.items():
        expected = ExpectedGate(outcome=given) if isinstance(given, Outcome) else given
        finding = by_name[name]
        said = f"gate {name} is {finding.outcome} ({finding.reason})"
        if expected.outcome not in (None, finding.outcome):
            yield f"{said}, not {expected.outcome}"
        if expected.until is not None and finding.until != expected.until:
            until = "no time" if finding.until is None else finding.until.isoformat()
            yield f"{said}, until {until} and not {expected.until.isoformat()}"
        if expected.who is not None and set(finding.who) != set(expected.who):
            yield (
                f"{said}, for {', '.join(finding.who) or 'nobody'} "
                f"and not {', '.join(expected.who) or 'nobody'}"
            )
        if expected.reason_contains not in finding.reason:
            yield f"{said}, which does not contain {expected.reason_contains!r}"


def _environment(document: PolicyTestFile, case: PolicyCase) -> str:
    return case.environment or document.environment or ""


def _unknown(
    document: PolicyTestFile, known: Mapping[str, EnvironmentDefinition]
) -> Iterator[Problem]:
    """Names of environments and gates that there are not."""
    seen: set[str] = set()
    for index, case in enumerate(document.cases):
        location: Location = ("cases", index)
        if case.name in seen:
            problem = f"{case.name!r} is the name of an earlier case"
            yield Problem((*location, "name"), problem, "give it another name")
        seen.add(case.name)
        name = _environment(document, case)
        definition = known.get(name)
        if definition is None:
            problem = f"there is no environment {name!r}" if name else "names no environment"
            yield Problem((*location, "environment"), problem, f"use one of {', '.join(known)}")
            continue
        gates = [gate.name for gate in definition.environment.gates]
        if case.freezes and keeper(definition.environment) is STOP_THE_LINE:
            gates += [STOP_THE_LINE.name]
        for key, named in (("answers", case.answers), ("expect", case.expect.gates)):
            for gate in set(named) - set(gates):
                where = (*location, key, *(("gates",) if key == "expect" else ()), gate)
                remedy = f"its gates are {', '.join(gates) or 'none'}"
                yield Problem(where, f"{name} has no gate {gate!r}", remedy)
