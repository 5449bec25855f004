"""Calendars in an environment file: read when it is applied, and kept as windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.documents.environment_file import load_environments
from engine.gates.freeze_window import configured
from tests.documents.files import problem_of, written

ENVIRONMENT = """\
groups: {leads: [lena]}
environments:
  - name: production
    targets: [{name: web-1, agent: east}]
    gates:
"""


def calendar(*events: str) -> str:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *events, "END:VCALENDAR", ""])


def event(day: int, summary: str = "freeze") -> str:
    return "\r\n".join(
        [
            "BEGIN:VEVENT",
            f"UID:{day}",
            f"SUMMARY:{summary}",
            f"DTSTART;TZID=Europe/Berlin:202612{day:02}T120000",
            "DURATION:PT1H",
            "END:VEVENT",
        ]
    )


def file(tmp_path: Path, gate: str) -> Path:
    return written(tmp_path, f"{ENVIRONMENT}      - {gate}\n", "environments.yaml")


def test_events_become_windows_of_what_is_applied(tmp_path: Path) -> None:
    written(tmp_path, calendar(event(24), event(25, "holiday")), "freezes.ics")
    own = "{name: own, timezone: UTC, start: 2026-01-01T00:00, duration: 1h}"
    path = file(
        tmp_path,
        "{type: freeze_window, override: {groups: [leads]}, config: "
        f"{{on_freeze: wait, windows: [{own}], calendars: [{{file: freezes.ics}}]}}}}",
    )
    (definition,) = load_environments(path)
    (gate,) = definition.environment.gates
    assert "calendars" not in gate.config
    config = configured(gate)
    assert [window.name for window in config.windows] == ["own", "freeze", "holiday"]
    assert config.windows[1].timezone == "Europe/Berlin"
    assert config.on_freeze == "wait"
    assert gate.override is not None
    assert load_environments(path) == (definition,)


def test_a_calendar_that_has_changed_changes_the_digest_of_the_policy(tmp_path: Path) -> None:
    written(tmp_path, calendar(event(24)), "freezes.ics")
    path = file(tmp_path, "{type: freeze_window, config: {calendars: [{file: freezes.ics}]}}")
    (before,) = load_environments(path)
    written(tmp_path, calendar(event(25)), "freezes.ics")
    (after,) = load_environments(path)
    assert before.environment.policy_digest != after.environment.policy_digest


def test_a_calendar_may_be_written_into_the_file(tmp_path: Path) -> None:
    lines = "".join(f"                {line}\n" for line in calendar(event(24)).splitlines())
    path = written(
        tmp_path,
        f"{ENVIRONMENT}      - type: freeze_window\n        config:\n          calendars:\n"
        f"            - categories: []\n              inline: |\n{lines}",
    )
    (definition,) = load_environments(path)
    assert [each.name for each in configured(definition.environment.gates[0]).windows] == ["freeze"]


@pytest.mark.parametrize(
    ("calendars", "message"),
    [
        (
            "[{file: none.ics}]",
            "calendars[0].file: none.ics: there is no such file; check the path",
        ),
        ("[{file: .}]", "calendars[0].file: .: there is no such file"),
        (
            "[{file: broken.ics}]",
            "calendars[0].file: event 'freeze': has times without a time zone; give the",
        ),
        ("[{inline: hello}]", "calendars[0].inline: calendar: cannot be read: "),
        ("[{}]", "calendars[0]: give either file or inline"),
        ("[{file: a.ics, inline: b}]", "calendars[0]: give either file or inline"),
        ("[{file: a.ics, zone: UTC}]", "calendars[0].zone: is not a known field"),
        ("[{file: a.ics, timezone: Mars}]", "calendars[0].timezone: 'Mars' is no time zone"),
        ("[{file: twins.ics}, {file: twins.ics}]", "more than one window is called freeze"),
        ("[{file: many.ics}]", "calendars: give 201 windows with those of `windows`, and a gate"),
    ],
)
def test_what_is_wrong_with_a_calendar_is_told_with_its_place(
    tmp_path: Path, calendars: str, message: str
) -> None:
    broken = calendar("BEGIN:VEVENT\r\nSUMMARY:freeze\r\nDTSTART;VALUE=DATE:20261224\r\nEND:VEVENT")
    written(tmp_path, broken, "broken.ics")
    written(tmp_path, calendar(event(24)), "twins.ics")
    written(tmp_path, calendar(*(event(1 + number % 28) for number in range(201))), "many.ics")
    path = file(tmp_path, f"{{type: freeze_window, config: {{calendars: {calendars}}}}}")
    error = problem_of(lambda: load_environments(path))
    assert error.field.startswith(f"{path}:6:")
    assert message in str(error)


def test_the_name_of_the_gate_that_nobody_configures_is_taken(tmp_path: Path) -> None:
    path = file(tmp_path, "{type: freeze_window, name: stop-the-line}")
    error = problem_of(lambda: load_environments(path))
    assert "is the name of the gate that looks for freezes where no other does" in str(error)


def test_bringing_back_what_ran_before_is_refused_until_it_can_be_done(tmp_path: Path) -> None:
    path = file(tmp_path, "{type: freeze_window, config: {on_close: rollback}}")
    error = problem_of(lambda: load_environments(path))
    assert "rollback is not available yet; write pause, finish or abort" in str(error)
