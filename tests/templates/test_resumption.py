from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from engine.model import identity
from engine.model.execution import StepResult, StepStatus
from engine.model.template import Node, Template
from engine.templates.resumption import taken_over
from tests.gates.builders import NOON

BEFORE, NOW = UUID(int=1), UUID(int=2)
TEMPLATE = Template(
    name="steps",
    nodes=(
        Node(id="ask", type="approval"),
        Node(id="build", type="command", needs=("ask",)),
        Node(id="deploy", type="deploy", needs=("build",)),
        Node(id="look", type="verify", needs=("deploy",)),
        Node(id="beside", type="http"),
    ),
)


def step(node_id: str, status: StepStatus = StepStatus.SUCCEEDED, **more: object) -> StepResult:
    type_ = next(node.type for node in TEMPLATE.nodes if node.id == node_id)
    at = NOON + timedelta(seconds=len(node_id))
    return StepResult.model_validate(
        {
            "node_id": node_id,
            "type": type_,
            "run_id": identity.step_run_id(BEFORE, node_id),
            "status": status,
            "outputs": {"of": node_id},
            "started_at": NOON,
            "ended_at": at,
            **more,
        }
    )


ALL = (
    step("beside"),
    step("ask"),
    step("build"),
    step("deploy"),
    step("look", StepStatus.FAILED),
)


@pytest.mark.parametrize(
    ("node", "kept"),
    [
        ("", ["beside", "build", "deploy"]),
        ("look", ["beside", "build", "deploy"]),
        ("deploy", ["beside", "build"]),
        ("build", ["beside"]),
        ("ask", ["beside"]),
        ("beside", ["build", "deploy"]),
    ],
)
def test_what_need_not_run_again(node: str, kept: list[str]) -> None:
    found = taken_over(TEMPLATE, ALL, node, BEFORE, NOW)
    assert [each.node_id for each in found] == kept
    for each in found:
        assert each.run_id == identity.step_run_id(NOW, each.node_id)
        assert each.outputs == {"of": each.node_id}
        assert each.taken_over_from == BEFORE


@pytest.mark.parametrize("status", [StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.CANCELLED])
def test_what_was_or_should_have_been_taken_back_runs_again(status: StepStatus) -> None:
    back = step("build", status, type="command", compensates="build")
    assert [each.node_id for each in taken_over(TEMPLATE, (*ALL, back), "", BEFORE, NOW)] == [
        "beside",
        "deploy",
    ]


def test_who_did_a_step_first_stays_known() -> None:
    first = UUID(int=3)
    (found,) = taken_over(TEMPLATE, (step("build", taken_over_from=first),), "", BEFORE, NOW)
    assert found.taken_over_from == first
    assert found.detail == f"done by promotion {first}"


@pytest.mark.parametrize("status", [StepStatus.SKIPPED, StepStatus.CANCELLED, StepStatus.FAILED])
def test_only_what_succeeded_is_taken_over(status: StepStatus) -> None:
    assert taken_over(TEMPLATE, (step("build", status),), "", BEFORE, NOW) == ()
