from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EvidenceError
from engine.evidence.statement import build_statement, parse_statement
from engine.model.canonical import digest_of, digest_of_bytes
from engine.model.evidence import EvidenceInput
from engine.model.failure import Failure
from tests.evidence.samples import API, PROMOTION, SCAN, WEB, allowed, denied, signed

GOLDEN = Path(__file__).parent / "golden"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def document(evidence: EvidenceInput) -> Any:
    return json.loads(build_statement(evidence))


@pytest.mark.parametrize(
    ("name", "evidence"), [("allowed", allowed()), ("denied", denied()), ("signed", signed())]
)
def test_format_0_1_stays_as_it_was_published(name: str, evidence: EvidenceInput) -> None:
    published = json.loads((GOLDEN / f"{name}.json").read_bytes())
    assert document(evidence) == published
    assert build_statement(evidence) == rfc8785.dumps(published)


def test_is_an_in_toto_statement_about_every_component() -> None:
    statement = document(allowed())
    assert set(statement) == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://promotion-engine.dev/attestations/promotion/v0.1"
    assert statement["subject"] == [
        {"name": part.name, "digest": {"sha256": part.digest.removeprefix("sha256:")}}
        for part in (WEB, API)
    ]


def test_only_votes_for_this_very_promotion_count() -> None:
    approvals = document(allowed())["predicate"]["approvals"]
    assert [(vote["user"], vote["counts"]) for vote in approvals] == [
        ("carol", False),
        ("bob", True),
    ]


def test_a_reader_can_recompute_the_binding() -> None:
    predicate = document(allowed())["predicate"]
    named = {
        "release": predicate["release"]["digest"],
        "template": predicate["template"]["digest"],
        "policy": predicate["environment"]["policyDigest"],
    }
    recomputed = digest_of({name: f"sha256:{value['sha256']}" for name, value in named.items()})
    assert recomputed == f"sha256:{predicate['promotion']['binding']['sha256']}"


def test_names_what_the_gates_read_by_digest() -> None:
    gate = document(allowed())["predicate"]["gates"][0]
    assert gate["inputs"] == [
        {"name": "web/scan.json", "digest": {"sha256": SCAN.removeprefix("sha256:")}}
    ]


def test_tells_what_each_target_ran_before_and_after() -> None:
    tasks = document(allowed())["predicate"]["deployments"][0]["tasks"]
    assert [task["type"] for task in tasks] == ["pull", "deploy", "health_check"]
    assert tasks[1]["before"]["release"] == "shop@1.9.0"
    assert tasks[1]["after"] == {
        "release": "shop@2.0.0",
        "component": "web",
        "digest": {"sha256": WEB.digest.removeprefix("sha256:")},
    }
    assert "before" not in tasks[0]


def test_shows_neither_step_inputs_nor_stack_traces() -> None:
    assert b"hunter2" not in build_statement(allowed())
    assert b"security.py" not in build_statement(denied())


def test_a_broken_gate_and_a_rejection_are_told_apart() -> None:
    broken, rejected = document(denied())["predicate"]["gates"]
    assert broken["error"] == {"type": "GateError", "message": "scan.json is not a Trivy report"}
    assert "rejectedBy" not in broken
    assert rejected["rejectedBy"] == "bob"
    assert "error" not in rejected


@given(comment=TEXT, reason=TEXT)
def test_survives_the_way_through_json_byte_for_byte(comment: str, reason: str) -> None:
    evidence = allowed(comment, reason)
    again = EvidenceInput.model_validate_json(evidence.model_dump_json())
    statement = build_statement(evidence)
    assert build_statement(again) == statement
    assert statement == rfc8785.dumps(json.loads(statement))
    assert parse_statement(statement).predicate.approvals[1].comment == comment


def test_order_of_mappings_does_not_matter() -> None:
    first, *rest = allowed().gates
    inputs = {"b": digest_of_bytes(b"b"), "a": digest_of_bytes(b"a"), **first.inputs}

    def build(items: dict[str, str]) -> bytes:
        gate = first.model_copy(
            update={
                "inputs": items,
                "attributes": dict(reversed(first.attributes.items())),
            }
        )
        return build_statement(allowed().model_copy(update={"gates": (gate, *rest)}))

    assert build(inputs) == build(dict(reversed(inputs.items())))


@pytest.mark.parametrize(("seed", "zone"), [("0", "UTC"), ("1234", "Pacific/Auckland")])
def test_depends_on_nothing_but_the_input(seed: str, zone: str) -> None:
    script = (
        "import sys; from engine.model.evidence import EvidenceInput;"
        "from engine.evidence.statement import build_statement;"
        "evidence = EvidenceInput.model_validate_json(sys.stdin.buffer.read());"
        "sys.stdout.buffer.write(build_statement(evidence))"
    )
    built = subprocess.run(
        [sys.executable, "-c", script],
        input=allowed().model_dump_json().encode(),
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
    )
    assert built.stdout == build_statement(allowed())


@pytest.mark.parametrize(
    ("value", "said"),
    [(2**60, str(2**60)), (float("nan"), "finite"), (float("inf"), "finite")],
)
def test_refuses_figures_that_json_cannot_carry(value: float, said: str) -> None:
    first, *rest = allowed().gates
    gate = first.model_copy(update={"attributes": {"figure": value}})
    with pytest.raises(EvidenceError, match=f"no statement can be made: .*{said}"):
        build_statement(allowed().model_copy(update={"gates": (gate, *rest)}))


@pytest.mark.parametrize("value", [2**60, float("nan")])
def test_refuses_step_inputs_that_json_cannot_carry(value: float) -> None:
    step = allowed().steps[0].model_copy(update={"inputs": {"size": value}})
    with pytest.raises(EvidenceError, match="no statement can be made"):
        build_statement(allowed().model_copy(update={"steps": (step,)}))


def test_any_difference_in_the_input_shows_in_the_bytes() -> None:
    evidence = allowed()
    changes: list[dict[str, object]] = [
        {"status": "failed"},
        {"decision": "deny"},
        {"gates": evidence.gates[:1]},
        {"votes": evidence.votes[:1]},
        {"steps": ()},
        {"deployments": ()},
        {"failure": Failure(type="StepError", message="broke")},
        {"trace_id": "0" * 32},
        {"workflow_id": "another"},
        {"run_id": "another"},
        {"started_at": evidence.finished_at},
        {"finished_at": evidence.started_at},
    ]
    built = {
        build_statement(EvidenceInput.model_validate({**dict(evidence), **change}))
        for change in [{}, *changes]
    }
    assert len(built) == len(changes) + 1


def test_names_the_promotion_its_trace_and_its_workflow() -> None:
    predicate = document(allowed())["predicate"]
    assert predicate["promotion"]["id"] == str(PROMOTION)
    assert predicate["promotion"]["startedAt"] == "2026-03-02T09:30:00.125000Z"
    assert predicate["traceId"] == allowed().trace_id
    assert predicate["workflow"] == {"id": f"promotion/{PROMOTION}", "runId": allowed().run_id}
