"""The order of a template's nodes, over many random graphs and orders of their ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.model.execution import StepStatus
from engine.model.template import Compensation, Node, OnFailure, Template
from engine.templates.schedule import Schedule, downstream

SUCCEEDED, FAILED = StepStatus.SUCCEEDED, StepStatus.FAILED
SKIPPED, CANCELLED = StepStatus.SKIPPED, StepStatus.CANCELLED
BACK = Compensation(type="command", inputs={"command": ["true"]})
DIAMOND = Template(
    name="diamond",
    nodes=(
        Node(id="start", type="wait", on_rollback=BACK),
        Node(id="left", type="wait", needs=("start",), on_failure=OnFailure.CONTINUE),
        Node(id="right", type="wait", needs=("start",), on_rollback=BACK),
        Node(id="end", type="wait", needs=("left", "right"), on_failure=OnFailure.ROLLBACK),
    ),
)


def _ids(nodes: tuple[Node, ...]) -> list[str]:
    return [node.id for node in nodes]


def _after(ends: Mapping[str, StepStatus]) -> Schedule:
    """A run of the diamond in which these nodes have ended, each as soon as it could."""
    schedule = Schedule(DIAMOND)
    for node_id, status in ends.items():
        schedule.begin()
        schedule.end(node_id, status)
    return schedule


@pytest.mark.parametrize(
    ("ends", "starts"),
    [
        ({}, ["start"]),
        ({"start": SUCCEEDED}, ["left", "right"]),
        ({"start": SKIPPED}, ["left", "right"]),
        ({"start": FAILED}, []),
        ({"start": CANCELLED}, []),
        ({"start": SUCCEEDED, "left": SUCCEEDED}, []),
        ({"start": SUCCEEDED, "left": SUCCEEDED, "right": SUCCEEDED}, ["end"]),
        ({"start": SUCCEEDED, "left": FAILED, "right": SUCCEEDED}, ["end"]),
        ({"start": SUCCEEDED, "right": SKIPPED, "left": SKIPPED}, ["end"]),
        ({"start": SUCCEEDED, "right": FAILED, "left": SUCCEEDED}, []),
        ({"start": SUCCEEDED, "left": CANCELLED, "right": SUCCEEDED}, []),
    ],
)
def test_what_starts_after_these_ends(ends: dict[str, StepStatus], starts: list[str]) -> None:
    assert _ids(_after(ends).begin()) == starts


def test_each_node_is_given_once() -> None:
    schedule = Schedule(DIAMOND)
    assert _ids(schedule.begin()) == ["start"]
    assert schedule.begin() == ()
    assert schedule.running == {"start"}


@pytest.mark.parametrize(
    ("node_id", "status"),
    [("left", SUCCEEDED), ("nobody", SUCCEEDED), ("start", StepStatus.RUNNING)],
)
def test_what_cannot_end_is_refused(node_id: str, status: StepStatus) -> None:
    schedule = Schedule(DIAMOND)
    schedule.begin()
    with pytest.raises(ValueError, match=node_id):
        schedule.end(node_id, status)


def test_what_succeeded_is_taken_back_the_last_to_end_first() -> None:
    ends = {"start": SUCCEEDED, "right": SUCCEEDED, "left": SUCCEEDED, "end": FAILED}
    assert _ids(_after(ends).compensations()) == ["right", "start"]


def test_a_skipped_node_is_not_taken_back() -> None:
    ends = {"start": SUCCEEDED, "right": SKIPPED, "left": SUCCEEDED, "end": FAILED}
    assert _ids(_after(ends).compensations()) == ["start"]


def test_a_failure_that_just_ends_the_run_takes_nothing_back() -> None:
    schedule = _after({"start": SUCCEEDED, "right": FAILED})
    assert schedule.is_over
    assert schedule.compensations() == ()


def test_what_a_run_before_has_done_does_not_start_again() -> None:
    schedule = Schedule(DIAMOND, {"start": SUCCEEDED, "left": SUCCEEDED})
    assert _ids(schedule.begin()) == ["right"]
    schedule.end("right", SUCCEEDED)
    assert _ids(schedule.begin()) == ["end"]
    schedule.end("end", FAILED)
    assert _ids(schedule.compensations()) == ["right", "start"]


def test_what_needs_a_node_runs_again_with_it() -> None:
    assert downstream(DIAMOND, "right") == {"right", "end"}
    assert downstream(DIAMOND, "start") == {"start", "left", "right", "end"}


@dataclass(frozen=True)
class Graph:
    """A template, and what is to become of each of its nodes."""

    template: Template
    fates: dict[str, StepStatus]
    order: int


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to twelve nodes in any order; most succeed, so that runs get somewhere."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 2**12 - 1),
                st.sampled_from(OnFailure),
                st.sampled_from((SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED, SKIPPED, FAILED)),
            ),
            min_size=1,
            max_size=12,
        )
    )
    order = draw(st.integers(0, 2**32 - 1))
    nodes = [
        Node(
            id=f"n{position}",
            type="wait",
            needs=tuple(f"n{need}" for need in range(position) if needed >> need & 1),
            on_failure=on_failure,
            on_rollback=BACK if needed & 2**11 else None,
        )
        for position, (needed, on_failure, _) in enumerate(rows)
    ]
    fates = {node.id: fate for node, (_, _, fate) in zip(nodes, rows, strict=True)}
    Random(order).shuffle(nodes)
    return Graph(Template(name="random", nodes=tuple(nodes)), fates, order)


@dataclass
class Story:
    """What happened in a run: the starts and ends as they came, and what followed."""

    starts: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    over_at: int | None = None
    taken_back: list[str] = field(default_factory=list)
    unstarted: list[str] = field(default_factory=list)


def carry_out(graph: Graph, next_end: Callable[[list[str]], str]) -> Story:
    """Run a graph as the workflow does, the running nodes ending in an order of the caller's."""
    schedule, story = Schedule(graph.template), Story()
    while True:
        for node in schedule.begin():
            story.starts[node.id] = len(story.events)
            story.events.append(("start", node.id))
        running = sorted(schedule.running)
        if not running:
            break
        node_id = next_end(running)
        story.ends[node_id] = len(story.events)
        story.events.append(("end", node_id))
        schedule.end(node_id, graph.fates[node_id])
        if schedule.is_over and story.over_at is None:
            story.over_at = len(story.events)
    story.taken_back = _ids(schedule.compensations())
    story.unstarted = _ids(schedule.unstarted())
    return story


@settings(
    max_examples=10_000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(graphs())
def test_ten_thousand_random_graphs(graph: Graph) -> None:
    story = carry_out(graph, Random(graph.order).choice)
    nodes = {node.id: node for node in graph.template.nodes}
    tolerated = {
        node_id
        for node_id, node in nodes.items()
        if graph.fates[node_id] is FAILED and node.on_failure is OnFailure.CONTINUE
    }
    good = {node_id for node_id, fate in graph.fates.items() if fate in (SUCCEEDED, SKIPPED)}

    # A node starts after its needs, and never after one whose failure counts.
    for node_id, start in story.starts.items():
        for need in nodes[node_id].needs:
            assert story.ends[need] < start
            assert need in good | tolerated
        # It starts as soon as the last of them has ended: nothing runs one after the other that
        # could run beside it. So two nodes overlap whenever both wait for nothing else.
        last = max((story.ends[need] for need in nodes[node_id].needs), default=-1)
        between = story.events[last + 1 : start]
        assert all(kind == "start" for kind, _ in between)
        assert story.over_at is None or start < story.over_at

    # Every node ends in exactly one way, and the run goes as far as it can.
    assert story.starts.keys() == story.ends.keys()
    assert sorted([*story.starts, *story.unstarted]) == sorted(nodes)
    fatal = [node_id for node_id in story.ends if node_id not in good | tolerated]
    assert bool(fatal) == (story.over_at is not None)
    assert bool(story.unstarted) <= bool(fatal)

    # What is taken back had succeeded, the last to end first, and only when a failure says so.
    rolls_back = any(nodes[node_id].on_failure is OnFailure.ROLLBACK for node_id in fatal)
    wanted = [
        node_id
        for node_id in sorted(story.ends, key=story.ends.__getitem__, reverse=True)
        if graph.fates[node_id] is SUCCEEDED and nodes[node_id].on_rollback is not None
    ]
    assert story.taken_back == (wanted if rolls_back else [])

    # The same ends make the same run.
    ends = iter([node_id for kind, node_id in story.events if kind == "end"])
    assert carry_out(graph, lambda running: next(ends)) == story
