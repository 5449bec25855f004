from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.execution import StepStatus
from engine.model.template import Node, OnFailure, Template
from engine.templates.schedule import ready, unreachable
from tests.templates.builders import dags

SUCCEEDED, FAILED = StepStatus.SUCCEEDED, StepStatus.FAILED
DIAMOND = Template(
    name="diamond",
    nodes=(
        Node(id="start", type="deploy"),
        Node(id="left", type="deploy", needs=("start",), on_failure=OnFailure.CONTINUE),
        Node(id="right", type="deploy", needs=("start",)),
        Node(id="end", type="deploy", needs=("left", "right")),
    ),
)


def _ids(nodes: tuple[Node, ...]) -> list[str]:
    return [node.id for node in nodes]


@pytest.mark.parametrize(
    ("ended", "startable", "lost"),
    [
        ({}, ["start"], []),
        ({"start": "pending"}, ["start"], []),
        ({"start": "running"}, [], []),
        ({"start": "waiting"}, [], []),
        ({"start": "succeeded"}, ["left", "right"], []),
        ({"start": "succeeded", "left": "running"}, ["right"], []),
        ({"start": "succeeded", "left": "succeeded", "right": "waiting"}, [], []),
        ({"start": "succeeded", "left": "succeeded", "right": "succeeded"}, ["end"], []),
        ({"start": "succeeded", "left": "failed", "right": "succeeded"}, ["end"], []),
        ({"start": "succeeded", "left": "failed"}, ["right"], []),
        ({"start": "succeeded", "right": "failed"}, [], ["left", "end"]),
        ({"start": "failed"}, [], ["left", "right", "end"]),
        ({"start": "skipped"}, [], ["left", "right", "end"]),
        ({"start": "succeeded", "left": "skipped"}, ["right"], ["end"]),
        ({"start": "succeeded", "left": "cancelled"}, [], ["right", "end"]),
    ],
)
def test_what_starts_and_what_is_lost(
    ended: dict[str, str], startable: list[str], lost: list[str]
) -> None:
    statuses = {node_id: StepStatus(status) for node_id, status in ended.items()}
    assert _ids(ready(DIAMOND, statuses)) == startable
    assert _ids(unreachable(DIAMOND, statuses)) == lost


@settings(deadline=None)
@given(dags(), st.data())
def test_when_all_goes_well_each_node_runs_once_and_after_its_needs(
    template: Template, data: st.DataObject
) -> None:
    ended: dict[str, StepStatus] = {}
    order: list[str] = []
    while startable := ready(template, ended):
        node = data.draw(st.sampled_from(startable))
        assert {ended.get(need) for need in node.needs} <= {SUCCEEDED}
        ended[node.id] = SUCCEEDED
        order.append(node.id)
        assert unreachable(template, ended) == ()
    assert sorted(order) == sorted(node.id for node in template.nodes)


@settings(deadline=None)
@given(dags(), st.data())
def test_with_failures_and_parallel_runs_each_node_ends_in_exactly_one_way(
    template: Template, data: st.DataObject
) -> None:
    statuses: dict[str, StepStatus] = {}
    started: list[str] = []
    over = False
    while True:
        for node in ready(template, statuses):
            assert not over
            for need in node.needs:
                tolerated = _node_of(template, need).on_failure is OnFailure.CONTINUE
                assert statuses[need] is SUCCEEDED or (statuses[need] is FAILED and tolerated)
            statuses[node.id] = StepStatus.RUNNING
            started.append(node.id)
        running = [node_id for node_id, status in statuses.items() if status is StepStatus.RUNNING]
        if not running:
            break
        ending = data.draw(st.sampled_from(running))
        statuses[ending] = data.draw(st.sampled_from([SUCCEEDED, SUCCEEDED, FAILED]))
        failed = statuses[ending] is FAILED
        over = over or (failed and _node_of(template, ending).on_failure is OnFailure.FAIL)
    assert len(started) == len(set(started))
    lost = _ids(unreachable(template, statuses))
    assert sorted([*started, *lost]) == sorted(node.id for node in template.nodes)
    assert bool(lost) <= over


@settings(deadline=None)
@given(dags(), st.data())
def test_a_node_is_never_both_ready_and_lost(template: Template, data: st.DataObject) -> None:
    statuses = data.draw(
        st.dictionaries(
            st.sampled_from([node.id for node in template.nodes]), st.sampled_from(StepStatus)
        )
    )
    assert not set(_ids(ready(template, statuses))) & set(_ids(unreachable(template, statuses)))


@settings(deadline=None)
@given(dags(), st.data())
def test_what_follows_a_skipped_node_is_lost_however_far_down(
    template: Template, data: st.DataObject
) -> None:
    skipped = data.draw(st.sampled_from(template.nodes))
    below = {skipped.id}
    while more := {node.id for node in template.nodes if below & set(node.needs)} - below:
        below |= more
    lost = unreachable(template, {skipped.id: StepStatus.SKIPPED})
    assert set(_ids(lost)) == below - {skipped.id}


def _node_of(template: Template, node_id: str) -> Node:
    return next(node for node in template.nodes if node.id == node_id)
