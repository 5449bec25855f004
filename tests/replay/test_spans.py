"""The spans that were exported while a promotion ran are those that its histories tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.projection import project_history
from engine.telemetry import names
from tests.harness.content import contents
from tests.harness.receiver import Received
from tests.replay.test_histories import HISTORIES, RECORDED, load

PROMOTIONS = sorted({path.parent for path in RECORDED})


def exported(directory: Path) -> list[Received]:
    spans = []
    for line in (directory / "spans.jsonl").read_text().splitlines():
        fields = json.loads(line)
        for name in ("events", "links"):
            fields[name] = [tuple(entry) for entry in fields[name]]
        # Settlement says with it why it exports what was not sampled.
        kept_for = fields["attributes"].pop(names.KEPT_FOR, "")
        assert (kept_for == "error") == (directory.name == "kept" and not fields["parent_span_id"])
        spans.append(Received(**fields))
    return spans


@pytest.mark.parametrize("directory", PROMOTIONS, ids=lambda path: str(path.relative_to(HISTORIES)))
async def test_the_histories_tell_the_spans_that_were_exported(directory: Path) -> None:
    live = exported(directory)
    assert len({span.span_id for span in live}) == len(live)
    told = [
        span
        for path in sorted(directory.glob("*.json"))
        for span in (await project_history(load(path))).spans
    ]
    assert contents(told) == contents(live)


def test_the_recorded_spans_have_every_part_of_a_span() -> None:
    spans = [span for directory in PROMOTIONS for span in exported(directory)]
    assert any(span.events for span in spans)
    assert any(span.links for span in spans)
    assert any(span.status_message for span in spans)
    assert any(span.attributes.get("task.attempt") == 2 for span in spans)
