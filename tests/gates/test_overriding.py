from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.gates.overriding import check, overridable, require
from engine.model.environment import Gate, Overriders
from tests.gates.builders import promotion

LEADS = Overriders(groups=("leads",), users=("erin",))
ENVIRONMENT = promotion(
    gates=[
        Gate(type="freeze_window", name="calendar", override=LEADS),
        Gate(type="security", name="scan"),
        Gate(type="approval", name="signed", config={"signed": True}, override=LEADS),
    ]
).environment


@pytest.mark.parametrize("user", ["bob", "carol", "erin"])
def test_members_of_the_groups_and_the_users_may(user: str) -> None:
    assert require(ENVIRONMENT, "calendar", user).name == "calendar"
    assert "calendar" in overridable(ENVIRONMENT, user)


@pytest.mark.parametrize(
    ("gate", "user", "message"),
    [
        ("calendar", "dave", "user: 'dave' may not override the gate 'calendar'; bob, carol, erin"),
        ("scan", "bob", "user: 'bob' may not override the gate 'scan'; nobody may"),
        ("door", "bob", "gate: no gate is called 'door'; gates: calendar, scan, signed"),
        ("signed", "bob", "gate: 'signed' wants signatures, which no word stands for"),
        ("stop-the-line", "bob", "user: nobody may override 'stop-the-line' in 'production'; give"),
    ],
)
def test_others_are_told_who_may(gate: str, user: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        require(ENVIRONMENT, gate, user)
    assert str(refused.value).startswith(message)
    with pytest.raises(InputError) as refused:
        check(ENVIRONMENT, {gate: "why"}, user)
    assert refused.value.field == f"overrides.{gate}"


def test_an_override_needs_a_reason() -> None:
    check(ENVIRONMENT, {"calendar": "outage"}, "bob")
    with pytest.raises(InputError, match=r"overrides\.calendar: gives no reason; say why"):
        check(ENVIRONMENT, {"calendar": "  "}, "bob")
