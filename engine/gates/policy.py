"""The gate `policy`: rules in CEL over the promotion, the other gates and the time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

import durationpy
from pydantic import AfterValidator, Field, model_validator

from engine.errors import GateError, InputError
from engine.expressions.language import Kind, Scope, compiled
from engine.expressions.messages import gate_values, promotion_values
from engine.gates.configuration import applied
from engine.gates.naming import still_undecided
from engine.gates.protocol import GateContext, GateServices
from engine.model.base import Document, Duration, Json
from engine.model.gate_config import LONGEST_WAIT
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict


def _expression(text: str) -> str:
    try:
        compiled(text, Scope.GATE, Kind.BOOL)
    except InputError as error:
        raise ValueError(error.problem + (f"; {error.remedy}" if error.remedy else "")) from error
    return text


class Rule(Document):
    """One condition.

    Attributes:
        expression: CEL that comes to true or false.
        message: what to do when it does not hold, for people.
        on_false: whether the gate denies then, or looks again.
        recheck: when it looks again.
    """

    name: str = Field(min_length=1, max_length=100)
    expression: Annotated[str, AfterValidator(_expression)]
    message: str = Field(default="", max_length=500)
    on_false: Literal["deny", "wait"] = "deny"
    recheck: Duration = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), le=LONGEST_WAIT
    )


class PolicyConfig(Document):
    """The rules; all have to hold.

    Attributes:
        timeout: how long the gate waits, for other gates and by `on_false: wait`.
    """

    rules: tuple[Rule, ...] = Field(min_length=1, max_length=100)
    timeout: Duration = Field(default=timedelta(hours=24), gt=timedelta(0), le=LONGEST_WAIT)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one rule is called {', '.join(twice)}")
        return self


class PolicyGate:
    """Allows when all rules hold."""

    config: ClassVar[type[Document]] = PolicyConfig
    type: ClassVar[str] = "policy"
    holds_for_rollbacks: ClassVar[bool] = True

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow, deny, or defer until the gates that it names have decided or a rule may hold.

        Raises:
            GateError: a rule cannot be evaluated.
        """
        config = applied(context.gate, PolicyConfig)
        deadline = context.opened_at + config.timeout
        undecided = still_undecided(context)
        if undecided:
            reason = f"waits for the last word of {', '.join(undecided)}"
            if context.now < deadline:
                return Defer(reason=reason, until=deadline)
            return Deny(reason=f"{reason}, and heard none within {_shown(config.timeout)}")
        variables = {
            **promotion_values(context.promotion),
            "gates": gate_values(context.results),
            "now": context.now,
        }
        broken = [rule for rule in config.rules if not _holds(rule, variables)]
        attributes, evidence = _figures(config.rules, broken)
        if not broken:
            count = len(config.rules)
            told = "the rule holds" if count == 1 else f"all {count} rules hold"
            return Allow(reason=told, attributes=attributes, evidence=evidence)
        reason = "; ".join(_told(rule) for rule in broken)
        if any(rule.on_false == "deny" for rule in broken):
            return Deny(reason=reason, attributes=attributes, evidence=evidence)
        if context.now >= deadline:
            reason = f"{reason}; so for {_shown(config.timeout)}"
            return Deny(reason=reason, attributes=attributes, evidence=evidence)
        again = context.now + min(rule.recheck for rule in broken)
        return Defer(
            reason=reason,
            until=min(again, deadline),
            attributes=attributes,
            evidence=evidence,
        )


def _holds(rule: Rule, variables: dict[str, Any]) -> bool:
    try:
        return compiled(rule.expression, Scope.GATE, Kind.BOOL).evaluate(variables) is True
    except InputError as error:
        raise GateError(f"the rule {rule.name!r} cannot be evaluated: {error.problem}") from error


def _told(rule: Rule) -> str:
    if rule.message:
        return f"{rule.name}: {rule.message}"
    return f"{rule.name}: {' '.join(rule.expression.split())} does not hold"


def _figures(
    rules: Iterable[Rule], broken: list[Rule]
) -> tuple[dict[str, AttributeValue], dict[str, Json]]:
    failed = {rule.name for rule in broken}
    attributes: dict[str, AttributeValue] = {
        "policy.failed": tuple(rule.name for rule in broken),
    }
    evidence: dict[str, Json] = {
        "rules": [{"name": rule.name, "holds": rule.name not in failed} for rule in rules],
    }
    return attributes, evidence


def _shown(length: timedelta) -> str:
    return durationpy.to_str(length)
