"""The table of the gate `policy`: rules, what they speak of, and for whom they wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.errors import GateError, InputError
from engine.gates import registry
from engine.gates.asking import ask
from engine.gates.naming import expressions_of, mistakes, needed
from engine.gates.protocol import GateContext
from engine.model.environment import Gate
from engine.model.verdict import (
    Allow,
    AttributeValue,
    Defer,
    Deny,
    GateOutcome,
    GateResult,
    Override,
    Skip,
    Verdict,
)
from tests.gates.builders import GROUPS, NOON, Services, promotion

SECURITY = Gate(type="security", name="scan")
PEOPLE = Gate(type="approval", name="people")
FREEZE = Gate(type="freeze_window", name="freeze")


def rule(expression: str, **given: Any) -> dict[str, Any]:
    return {"name": "r", "expression": expression, **given}


def policy(*rules: dict[str, Any], name: str = "policy", **config: Any) -> Gate:
    return Gate(type="policy", name=name, config={"rules": list(rules), **config})


def result(
    gate: Gate,
    outcome: GateOutcome = GateOutcome.PASSED,
    overridden: Override | None = None,
    **attributes: AttributeValue,
) -> GateResult:
    return GateResult(
        name=gate.name,
        type=gate.type,
        outcome=outcome,
        reason="because",
        attributes={name.replace("_", "."): value for name, value in attributes.items()},
        overridden=overridden,
        started_at=NOON,
        ended_at=NOON,
    )


def asked_with(
    gate: Gate,
    earlier: Sequence[Gate] = (),
    results: Sequence[GateResult] = (),
    now: datetime = NOON,
    later: Sequence[Gate] = (),
) -> GateContext:
    return GateContext(
        gate=gate,
        promotion=promotion(gates=(*earlier, gate, *later)),
        results=tuple(results),
        opened_at=NOON,
        now=now,
    )


async def asked(
    gate: Gate,
    earlier: Sequence[Gate] = (),
    results: Sequence[GateResult] = (),
    now: datetime = NOON,
) -> Verdict:
    return await ask(asked_with(gate, earlier, results, now), Services())


OVERRIDE = Override(gate="scan", user="carol", reason="known", at=NOON)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('promotion.requested_by == "alice"', True),
        ('promotion.requested_by in ["bob"]', False),
        ('release.name == "web" && release.version.startsWith("1.")', True),
        ("release.components.all(c, c.digest.startsWith('sha256:'))", True),
        ("environment.target_count <= 2", False),
        ("!promotion.is_rollback", True),
        ('now.getHours("Europe/Berlin") == 13', True),
        ("now - promotion.requested_at < duration('1h')", True),
        ('gates["scan"].outcome == "passed"', True),
        ('gates["scan"].attributes["vulnerabilities.high"] < 3.0', True),
        ('gates["scan"].attributes["vulnerabilities.high"] < 2.0', False),
        ('gates.all(name, gates[name].outcome != "failed")', True),
        ('"scan" in gates && !("other" in gates)', True),
        ('gates["people"].overridden_by == "carol"', True),
    ],
)
async def test_a_rule_is_evaluated_over_all_that_it_may_speak_of(
    expression: str, holds: bool
) -> None:
    verdict = await asked(
        policy(rule(expression)),
        (SECURITY, PEOPLE),
        (
            result(SECURITY, vulnerabilities_high=2),
            result(PEOPLE, GateOutcome.OVERRIDDEN, OVERRIDE),
        ),
    )
    assert isinstance(verdict, Allow if holds else Deny)
    assert verdict.evidence == {"rules": [{"name": "r", "holds": holds}]}


async def test_the_reason_names_every_rule_that_fails_and_its_message() -> None:
    verdict = await asked(
        policy(
            {"name": "never", "expression": "false", "message": "ask the change board"},
            {"name": "fine", "expression": "true"},
            {"name": "odd", "expression": "1 ==\n 2"},
        )
    )
    assert isinstance(verdict, Deny)
    assert verdict.reason == "never: ask the change board; odd: 1 == 2 does not hold"
    assert verdict.attributes["policy.failed"] == ("never", "odd")


async def test_it_waits_for_exactly_the_gates_that_it_names() -> None:
    gate = policy(rule('gates["scan"].outcome == "passed"'))
    verdict = await asked(gate, (SECURITY, PEOPLE), (result(PEOPLE),))
    assert isinstance(verdict, Defer)
    assert "scan" in verdict.reason
    assert "people" not in verdict.reason
    assert isinstance(await asked(gate, (SECURITY, PEOPLE), (result(SECURITY),)), Allow)


async def test_one_that_speaks_of_all_waits_for_all_before_it() -> None:
    gate = policy(rule("size(gates) > 0"))
    verdict = await asked(gate, (SECURITY, PEOPLE, FREEZE), (result(PEOPLE), result(FREEZE)))
    assert isinstance(verdict, Defer)
    assert verdict.reason == "waits for the last word of scan"
    late = Gate(type="http", name="late")
    context = asked_with(gate, (SECURITY,), (result(SECURITY),), later=(late,))
    assert isinstance(await ask(context, Services()), Allow)


async def test_the_waiting_for_others_ends() -> None:
    gate = policy(rule('gates["scan"].outcome == "passed"'), timeout="1h")
    waiting = await asked(gate, (SECURITY,))
    assert isinstance(waiting, Defer)
    assert waiting.until == NOON + timedelta(hours=1)
    verdict = await asked(gate, (SECURITY,), now=NOON + timedelta(hours=1))
    assert isinstance(verdict, Deny)
    assert "within 1h" in verdict.reason


async def test_a_rule_over_the_time_may_wait_and_the_waiting_ends() -> None:
    gate = policy(
        rule("now.getHours() >= 14", message="after two", on_false="wait", recheck="10m"),
        rule("true") | {"name": "other"},
        timeout="15m",
    )
    first = await asked(gate)
    assert isinstance(first, Defer)
    assert (first.reason, first.until) == ("r: after two", NOON + timedelta(minutes=10))
    second = await asked(gate, now=NOON + timedelta(minutes=10))
    assert isinstance(second, Defer)
    assert second.until == NOON + timedelta(minutes=15)
    assert isinstance(await asked(gate, now=NOON + timedelta(hours=2)), Allow)
    last = await asked(gate, now=NOON + timedelta(minutes=15))
    assert isinstance(last, Deny)
    assert last.reason == "r: after two; so for 15m"


async def test_a_rule_that_denies_weighs_more_than_one_that_waits() -> None:
    gate = policy(rule("false", on_false="wait"), rule("false") | {"name": "no"})
    assert isinstance(await asked(gate), Deny)


async def test_a_rule_that_comes_to_nothing_breaks_the_gate() -> None:
    gate = policy(rule('gates["scan"].attributes["no.such.figure"] == 0.0'))
    with pytest.raises(GateError, match="rule 'r' cannot be evaluated") as broken:
        await asked(gate, (SECURITY,), (result(SECURITY),))
    assert not broken.value.retryable


@pytest.mark.parametrize(
    ("rules", "place", "told"),
    [
        ([rule("promotion.nobody == 1")], "config.rules.0.expression", "line 1, column 10"),
        ([rule("true"), rule("now >") | {"name": "x"}], "config.rules.1.expression", "column 6"),
        ([rule("release.name")], "config.rules.0.expression", "comes to string"),
        ([rule("nodes.x")], "config.rules.0.expression", "known here: promotion"),
        ([rule("true"), rule("true")], "config", "more than one rule is called r"),
        ([rule("true", on_false="maybe")], "config.rules.0.on_false", ""),
        ([rule("true", recheck="0s")], "config.rules.0.recheck", ""),
        ([], "config.rules", ""),
    ],
)
def test_a_bad_rule_is_refused_with_its_place(
    rules: list[dict[str, Any]], place: str, told: str
) -> None:
    with pytest.raises(InputError) as refused:
        registry.check(policy(*rules), GROUPS)
    assert refused.value.field == f"gates.policy.{place}"
    assert told in str(refused.value)


def wrong(gate: Gate, *earlier: Gate) -> list[str]:
    return [
        mistake.problem
        for _, expression in expressions_of(gate)
        for mistake in mistakes(expression, gate, earlier)
    ]


def test_only_gates_before_it_may_be_named() -> None:
    gate = policy(rule('true && gates["scna"].outcome == "passed"'))
    (told,) = wrong(gate, SECURITY)
    assert told == "line 1, column 9: no gate before this one is called 'scna'"
    assert not wrong(policy(rule('gates["scan"].outcome == "passed"')), SECURITY)


def test_a_freeze_is_spoken_of_by_policies_only() -> None:
    by_policy = policy(rule('gates["freeze"].outcome == "passed"'))
    assert not wrong(by_policy, FREEZE)
    waits = Gate(type="http", name="call", when='gates["freeze"].outcome == "passed"')
    assert "waits for this gate" in wrong(waits, FREEZE)[0]
    indirectly = Gate(type="http", name="call", when='gates["policy"].outcome == "passed"')
    assert "waits for this gate" in wrong(indirectly, FREEZE, by_policy)[0]
    harmless = policy(rule("true"))
    assert not wrong(indirectly, FREEZE, harmless)
    everything = Gate(type="http", name="call", when="size(gates) > 0")
    assert needed(everything, (SECURITY, FREEZE, by_policy, everything)) == ("scan",)


async def test_a_condition_waits_for_the_gates_that_it_names() -> None:
    gate = policy(rule("true")).model_copy(update={"when": 'gates["scan"].outcome == "failed"'})
    waiting = await asked(gate, (SECURITY,))
    assert isinstance(waiting, Defer)
    assert waiting.reason == "its condition depends on scan; looks again then"
    verdict = await asked(gate, (SECURITY,), (result(SECURITY),))
    assert isinstance(verdict, Skip)


def test_rollbacks_have_to_pass_it() -> None:
    assert registry.get("policy").holds_for_rollbacks
