"""Holds received spans against the tracing specification, as `trace-spec.yaml` states it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from ruamel.yaml import YAML

from tests.harness.receiver import Received

SPEC: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("trace-spec.yaml"))
SKEW_NS = 50_000_000
STATUS_ERROR = 2
UUIDS = (
    "tenant.id", "user.id", "release.id", "promotion.id", "workflow.run_id", "step.run_id",
    "deployment.job_id", "task.id", "agent.id", "target.id", "evidence.id",
)  # fmt: skip
TYPES: dict[str, type | tuple[type, ...]] = {
    "promotion.gates": list,
    "deployment.target_count": int,
    "deployment.batch_size": int,
    "task.attempt": int,
    "vulnerabilities.critical": int,
    "vulnerabilities.high": int,
    "vulnerabilities.medium": int,
    "vulnerabilities.low": int,
    "approval.required": int,
    "approval.received": int,
    "approval.wait_seconds": float,
    "plugin.duration_ms": float,
}
LINKS_WITHIN = {"previous_attempt", "continued_run"}
LINKS = LINKS_WITHIN | {"previous_environment", "rolled_back", "retried"}
VALUES = {
    "promotion.decision": {"allow", "deny"},
    "gate.result": {"passed", "failed", "skipped", "overridden"},
}


def rule_for(name: str) -> dict[str, Any] | None:
    """The specification's entry for a span name; an exact one before one with `{…}`."""
    rules: list[dict[str, Any]] = SPEC["spans"]
    for rule in rules:
        if rule["name"] == name:
            return rule
    for rule in rules:
        pattern = re.sub(r"\\\{\w+\\\}", r"[a-z0-9_.-]+", re.escape(rule["name"]))
        if "{" in rule["name"] and re.fullmatch(pattern, name):
            return rule
    return None


def deviations(spans: list[Received], caller_span_id: str = "") -> list[str]:
    """Everything in which a trace departs from the specification, each in a sentence."""
    found = list(_shape(spans, caller_span_id))
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        rule = rule_for(span.name)
        if rule is None:
            found.append(f"{span.name}: no such span in the specification")
            continue
        found += [f"{span.name}: {problem}" for problem in _attributes(span, rule)]
        found += [f"{span.name}: {problem}" for problem in _failure(span)]
        found += [f"{span.name}: {problem}" for problem in _place(span, rule, by_id)]
        found += [f"{span.name}: {problem}" for problem in _links(span, by_id)]
        found += [f"{span.name}: {problem}" for problem in _resource(span)]
    return found


def _shape(spans: list[Received], caller_span_id: str) -> Iterable[str]:
    if len({span.trace_id for span in spans}) != 1:
        yield f"{len({span.trace_id for span in spans})} traces"
    for span_id, count in Counter(span.span_id for span in spans).items():
        if count != 1:
            yield f"span id {span_id} came {count} times"
    roots = [span for span in spans if span.name == "promotion.request"]
    if len(roots) != 1:
        yield f"{len(roots)} spans promotion.request"
    for root in roots:
        if root.parent_span_id != caller_span_id:
            yield f"promotion.request: its parent is {root.parent_span_id!r}"
        wanted = "SERVER" if caller_span_id else "INTERNAL"
        if root.kind != wanted:
            yield f"promotion.request: kind {root.kind}, not {wanted}"
    order = SPEC["order_on_the_main_path"]
    main = sorted((span for span in spans if span.name in order), key=lambda span: span.start)
    names = [span.name for span in main]
    if names != [name for name in order if name in names]:
        yield f"the main path ran in the order {names}"


def _attributes(span: Received, rule: dict[str, Any]) -> Iterable[str]:
    required = ["tenant.id", "user.id", "release.id", "environment.name", "error"]
    required += rule["attributes"]
    extra = rule.get("extra", {})
    required += extra.get("all", [])
    if span.name != "gate.freeze_window":
        required += extra.get(span.name, [])
    for key in required:
        if key not in span.attributes:
            yield f"lacks {key}"
    for key, value in span.attributes.items():
        wanted = TYPES.get(key, bool if key == "error" else None)
        if wanted is not None and type(value) is not wanted:
            yield f"{key} is a {type(value).__name__}"
        if key in VALUES and value not in VALUES[key]:
            yield f"{key} is {value!r}"
        if key in UUIDS:
            try:
                UUID(str(value))
            except ValueError:
                yield f"{key} is no UUID: {value!r}"


def _failure(span: Received) -> Iterable[str]:
    failed = span.attributes.get("error") is True
    if failed != ("error.type" in span.attributes):
        yield "error.type is there exactly when error is true, but not here"
    if failed != (span.status_code == STATUS_ERROR):
        yield f"status code {span.status_code} with error={failed}"
    exceptions = [event for event in span.events if event[0] == "exception"]
    if len(exceptions) != int(failed):
        yield f"{len(exceptions)} exception events with error={failed}"
    for _, _, attributes in exceptions:
        for key in ("exception.type", "exception.message", "exception.stacktrace"):
            if key not in attributes:
                yield f"its exception event lacks {key}"
    if failed and not span.status_message:
        yield "its status has no description"


def _place(span: Received, rule: dict[str, Any], by_id: dict[str, Received]) -> Iterable[str]:
    if span.end < span.start:
        yield "ends before it starts"
    if rule.get("kind") == "CLIENT" and span.kind != "CLIENT":
        yield f"its kind is {span.kind}"
    if span.name == "promotion.request":
        return
    parent = by_id.get(span.parent_span_id)
    if parent is None:
        yield "is an orphan"
        return
    allowed = rule["parent"]
    if allowed == "the span of the work that called it":
        if not re.match(r"(gate|workflow\.step|agent\.task)\.", parent.name):
            yield f"its parent is {parent.name}, which calls no plugins"
    elif parent.name != allowed:
        yield f"its parent is {parent.name}, not {rule['parent']}"
    if span.start < parent.start - SKEW_NS or span.end > parent.end + SKEW_NS:
        yield f"lies outside of its parent's time: {span.start}..{span.end} in {parent}"


def _links(span: Received, by_id: dict[str, Received]) -> Iterable[str]:
    for trace_id, span_id, attributes in span.links:
        relation = attributes.get("promotion.link")
        if relation not in LINKS:
            yield f"its link is a {relation!r}"
        if not int(trace_id or "0", 16) or not int(span_id or "0", 16):
            yield "its link leads nowhere"
        if (trace_id, span_id) == (span.trace_id, span.span_id):
            yield "is linked to itself"
        elif relation in LINKS_WITHIN and (trace_id != span.trace_id or span_id not in by_id):
            yield f"its link {relation} leads out of the trace"


def _resource(span: Received) -> Iterable[str]:
    for key, value in {
        "service.name": "stella-release-orchestrator",
        "service.namespace": "stella-ops",
    }.items():
        if span.resource.get(key) != value:
            yield f"resource {key} is {span.resource.get(key)!r}"
    for key in ("service.version", "deployment.environment", "deployment.environment.name"):
        if not span.resource.get(key):
            yield f"resource lacks {key}"
