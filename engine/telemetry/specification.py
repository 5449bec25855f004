"""The tracing specification as data: which spans there are, below what, with which attributes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class SpanRule:
    """What the specification says of one span name, or of a family such as `gate.{type}`.

    Attributes:
        parent: the name of the span above it; None for a root. What begins with `the span` stands
            for the work that plugins are called for.
        kind: where the specification says one; else None.
        attributes: required on every span of this rule, common ones included.
        own: required on spans of one exact name beside them.
    """

    name: str
    parent: str | None
    kind: str | None
    attributes: frozenset[str]
    own: dict[str, frozenset[str]]

    def matches(self, name: str) -> bool:
        """Whether the rule is for spans called `name`."""
        pattern = re.sub(r"\\\{\w+\\\}", r"[a-z0-9_.-]+", re.escape(self.name))
        return re.fullmatch(pattern, name) is not None

    def is_below(self, parent: str) -> bool:
        """Whether spans of this rule may lie below one called `parent`."""
        if self.parent is not None and self.parent.startswith("the span"):
            return parent.startswith(_CALLERS)
        return parent == self.parent

    def required(self, name: str) -> frozenset[str]:
        """The attributes that a span called `name` must have."""
        return self.attributes | self.own.get(name, frozenset())


_CALLERS = ("gate.", "workflow.step.", "agent.task.")

# Only when a window is in force, as the specification's comment says.
_CONDITIONAL = frozenset({"gate.freeze_window"})
_OPTIONAL = frozenset({"user.id", "error.type"})


@cache
def rules() -> tuple[SpanRule, ...]:
    """All rules, exact names before families."""
    spec = _load()
    common = frozenset(spec["common_attributes"]) - _OPTIONAL
    found = [_rule(entry, common) for entry in spec["spans"]]
    return tuple(sorted(found, key=lambda rule: "{" in rule.name))


@cache
def main_path() -> tuple[str, ...]:
    """The spans right below the root in the order in which they run."""
    return tuple(_load()["order_on_the_main_path"])


def rule_for(name: str) -> SpanRule | None:
    """The rule for spans called `name`, or None when the specification has none."""
    return next((rule for rule in rules() if rule.matches(name)), None)


def _rule(entry: dict[str, Any], common: frozenset[str]) -> SpanRule:
    extra = dict(entry.get("extra", {}))
    everywhere = frozenset(extra.pop("all", ()))
    parent = entry["parent"]
    return SpanRule(
        name=entry["name"],
        parent=None if parent.startswith("root") else parent,
        # That of a root depends on how it came about.
        kind=entry.get("kind") if not parent.startswith("root") else None,
        attributes=common | frozenset(entry["attributes"]) | everywhere,
        own={name: frozenset(keys) for name, keys in extra.items() if name not in _CONDITIONAL},
    )


@cache
def _load() -> dict[str, Any]:
    text = files("engine.telemetry").joinpath("specification.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded
