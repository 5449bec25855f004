"""Random templates without cycles."""

from __future__ import annotations

from hypothesis import strategies as st

from engine.model.template import Node, OnFailure, Template


@st.composite
def dags(draw: st.DrawFn, largest: int = 12) -> Template:
    """A valid template whose nodes stand in any order."""
    count = draw(st.integers(1, largest))
    ids = [f"n{number}" for number in range(count)]
    nodes = []
    for position, node_id in enumerate(ids):
        needs = draw(st.sets(st.sampled_from(ids[:position]), max_size=4)) if position else set()
        on_failure = draw(st.sampled_from(OnFailure))
        nodes.append(Node(id=node_id, type="deploy", needs=tuple(needs), on_failure=on_failure))
    return Template(name="random", nodes=tuple(draw(st.permutations(nodes))))
