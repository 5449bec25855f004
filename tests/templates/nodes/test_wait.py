from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from engine.templates.nodes.wait import Advancers, WaitInputs

GROUPS = {"ops": ("dave", "carol"), "empty": ()}


def test_what_people_write() -> None:
    inputs = WaitInputs.model_validate({"duration": "90m", "until": "2030-01-01T12:00:00+02:00"})
    assert inputs.duration == timedelta(minutes=90)
    assert inputs.until == datetime(2030, 1, 1, 10, tzinfo=UTC)
    assert WaitInputs.model_validate({"advance": True}).advance == Advancers()
    named = WaitInputs.model_validate({"advance": {"groups": ["ops"], "users": ["bob"]}})
    assert named.advance is not None
    assert named.advance.people(GROUPS) == ("bob", "carol", "dave")


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({}, "would never end"),
        ({"advance": False}, "would never end"),
        ({"duration": "0s"}, "greater than"),
        ({"duration": "400 days"}, "duration"),
        ({"duration": "9000h"}, "less than or equal"),
        ({"until": "2030-01-01T12:00:00"}, "timezone"),
        ({"advance": {"groups": ["empty"]}}, "no group called empty has members; groups: ops"),
        ({"advance": {"groups": ["nobody"]}}, "no group called nobody has members"),
    ],
)
def test_what_cannot_be_waited_for(inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        WaitInputs.model_validate(inputs, context={"groups": GROUPS})
