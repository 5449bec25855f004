from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.gates import registry
from engine.model.base import Json
from engine.model.environment import Gate
from tests.gates.builders import GROUPS


def test_the_built_in_types_are_known() -> None:
    assert {"approval", "freeze_window", "security"} <= set(registry.names())
    assert list(registry.names()) == sorted(registry.names())


@pytest.mark.parametrize("name", ["approval", "freeze_window", "security"])
def test_a_built_in_type_is_found_under_its_own_name(name: str) -> None:
    assert registry.get(name).type == name


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'secruity'.*known types: approval, command, fre") as e:
        registry.get("secruity")
    assert e.value.field == "type"


@pytest.mark.parametrize(
    ("gate_type", "config"),
    [
        ("security", {}),
        ("security", {"max_critical": None, "max_high": 3, "require_report": False}),
        ("approval", {"required": 2, "groups": ["leads", "ops"], "timeout": "48h"}),
        ("approval", {"users": ["erin"]}),
        (
            "freeze_window",
            {
                "on_freeze": "wait",
                "windows": [
                    {
                        "name": "year end",
                        "timezone": "Europe/Berlin",
                        "start": "2026-12-24T12:00",
                        "end": "2027-01-04T08:00",
                    },
                    {
                        "name": "weekend",
                        "timezone": "America/New_York",
                        "start": "2026-01-02T17:00",
                        "duration": "60h",
                        "rrule": "FREQ=WEEKLY;BYDAY=FR",
                    },
                ],
            },
        ),
    ],
)
def test_a_sound_configuration_passes(gate_type: str, config: dict[str, Json]) -> None:
    registry.check(Gate(type=gate_type, name="g", config=config), GROUPS)


_WINDOW: dict[str, Json] = {
    "name": "w",
    "timezone": "Europe/Berlin",
    "start": "2026-12-24T12:00",
    "end": "2026-12-27T08:00",
}


def _windows(**changes: Json) -> dict[str, Json]:
    merged: dict[str, Json] = _WINDOW | changes
    window: Json = {key: value for key, value in merged.items() if value is not None}
    return {"windows": [window]}


@pytest.mark.parametrize(
    ("gate_type", "config", "field", "problem"),
    [
        ("security", {"max_critical": -1}, "max_critical", "greater than or equal to 0"),
        ("security", {"max_high": True}, "max_high", "integer"),
        ("security", {"max_high": "3"}, "max_high", "integer"),
        ("security", {"max_hihg": 3}, "max_hihg", "not known here"),
        ("security", {"require_report": "no"}, "require_report", "boolean"),
        ("approval", {}, "", "names nobody who may approve"),
        ("approval", {"required": 0, "users": ["bob"]}, "required", "greater than"),
        ("approval", {"groups": ["admins"]}, "groups", "known groups: empty, leads, ops"),
        ("approval", {"groups": ["leads"], "required": 3}, "", "name 2 people"),
        ("approval", {"users": [""]}, "users.0", "at least 1 character"),
        ("approval", {"users": ["b"], "timeout": "3 days"}, "timeout", "write for example 30s"),
        ("approval", {"users": ["b"], "timeout": "0s"}, "timeout", "greater than 0"),
        ("approval", {"users": ["b"], "timeout": "9000h"}, "timeout", "less than or equal"),
        ("freeze_window", _windows(name=None), "windows.0.name", "is required"),
        ("freeze_window", _windows(timezone="Europe/Berln"), "windows.0.timezone", "IANA"),
        ("freeze_window", _windows(timezone="../../etc/passwd"), "windows.0.timezone", "IANA"),
        ("freeze_window", _windows(timezone="Europe"), "windows.0.timezone", "IANA"),
        ("freeze_window", _windows(start="tomorrow"), "windows.0.start", "datetime"),
        ("freeze_window", _windows(start=1766577600), "windows.0.start", "write a local date"),
        ("freeze_window", _windows(start="2026-12-24T12:00Z"), "windows.0.start", "timezone"),
        ("freeze_window", _windows(start="1999-12-24T12:00"), "windows.0.start", "years 2000"),
        ("freeze_window", _windows(end=None), "windows.0", "either end or duration"),
        ("freeze_window", _windows(duration="1h"), "windows.0", "either end or duration"),
        ("freeze_window", _windows(end="2026-12-24T12:00"), "windows.0", "ends before it begins"),
        ("freeze_window", _windows(rrule="FREQ=MINUTELY"), "windows.0", "rrule: FREQ has to be"),
        ("freeze_window", _windows(rrule=""), "windows.0", "rrule: "),
        (
            "freeze_window",
            _windows(rrule="FREQ=YEARLY", end="2028-01-01T00:00"),
            "windows.0",
            "at most 366 days",
        ),
        ("freeze_window", _windows(rrule="FREQ=HOURLY"), "windows.0", "at most a day"),
        (
            "freeze_window",
            _windows(rrule="FREQ=DAILY;BYHOUR=3,4"),
            "windows.0",
            "a window that recurs within a day",
        ),
        ("freeze_window", {"windows": [_WINDOW, _WINDOW]}, "", "more than one window is called w"),
        ("freeze_window", _windows() | {"on_freeze": "ask"}, "on_freeze", "'deny' or 'wait'"),
    ],
)
def test_an_unsound_configuration_names_the_field(
    gate_type: str, config: dict[str, Json], field: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        registry.check(Gate(type=gate_type, name="g", config=config), GROUPS)
    assert caught.value.field == ".".join(["gates.g.config", *([field] if field else [])])


def test_several_problems_are_told_at_once() -> None:
    config: dict[str, Json] = {"max_critical": -1, "max_hihg": 2}
    with pytest.raises(InputError) as caught:
        registry.check(Gate(type="security", name="scan", config=config), {})
    assert caught.value.field == "gates.scan.config"
    assert "2 problems" in caught.value.problem
    assert "gates.scan.config.max_critical" in caught.value.problem
    assert "gates.scan.config.max_hihg" in caught.value.problem


def test_a_gate_without_name_is_called_by_its_type() -> None:
    with pytest.raises(InputError) as caught:
        registry.check(Gate(type="security", config={"max_low": -1}), {})
    assert caught.value.field == "gates.security.config.max_low"


def test_an_unknown_type_of_a_gate_is_named_with_the_gate() -> None:
    with pytest.raises(InputError, match="known types") as caught:
        registry.check(Gate(type="secruity", name="scan"), {})
    assert caught.value.field == "gates.scan.type"
