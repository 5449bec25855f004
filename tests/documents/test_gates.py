"""Gates in environment files: what the documentation shows works, and mistakes are told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.documents.environment_file import load_environments
from engine.errors import InputError
from engine.gates import registry

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "gates.md"
HEAD = """\
groups: {managers: [bob, carol], leads: [dave, erin], ops: [frank, gina]}
environments:
  - name: production
    targets: [{name: t1, agent: a1}]
    gates:
"""
CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//freezes//EN
BEGIN:VEVENT
UID:year-end@example.org
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20261224T120000
DTEND;TZID=Europe/Berlin:20270102T080000
SUMMARY:year end freeze
CATEGORIES:freeze
END:VEVENT
END:VCALENDAR
"""


def _shown() -> list[str]:
    """The gates that the documentation shows, as they stand there."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCUMENTATION.read_text(), re.M | re.S)
    return [block for block in blocks if block.startswith("- type: ")]


def _file(directory: Path, gates: str, tail: str = "") -> Path:
    path = directory / "environments.yaml"
    path.write_text(HEAD + "".join(f"      {line}\n" for line in gates.splitlines()) + tail)
    return path


def _keys(*people: str) -> str:
    keys = {person: generate_private_key(SECP256R1()).public_key() for person in people}
    pem = {
        person: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for person, key in keys.items()
    }
    return f"keys: {json.dumps({person: [{'public_key': text}] for person, text in pem.items()})}\n"


def test_every_type_has_its_section() -> None:
    sections = re.findall(r"^## (.*)$", DOCUMENTATION.read_text(), re.M)
    assert set(registry.names()) <= set(sections)


@pytest.mark.parametrize("shown", _shown(), ids=lambda text: text.splitlines()[0])
def test_what_the_documentation_shows_can_be_applied(tmp_path: Path, shown: str) -> None:
    before = (
        '- {type: security, config: {}}\n- {type: command, name: scan, config: {command: ["true"]}}'
    )
    (tmp_path / "freezes.ics").write_text(CALENDAR)
    keys = _keys("bob", "carol", "dave", "erin", "frank", "gina")
    (definition,) = load_environments(_file(tmp_path, f"{before}\n{shown}", keys))
    assert len(definition.environment.gates) == 3


@pytest.mark.parametrize(
    ("gates", "told"),
    [
        (
            "- type: policy\n  config:\n    rules:\n"
            "      - name: a\n        expression: promotion.requested_at > 1",
            r":10:\d+: .*expression: line 1, column 24: .*",
        ),
        (
            "- type: policy\n  config:\n    rules:\n"
            '      - {name: a, expression: \'gates["metrik"].outcome == "passed"\'}',
            r":9:\d+: .*no gate before this one is called 'metrik'",
        ),
        (
            "- type: policy\n  config:\n    rules:\n"
            '      - {name: a, expression: \'gates["later"].outcome == "passed"\'}\n'
            "- {type: command, name: later, config: {command: ['true']}}",
            r":9:\d+: .*no gate before this one is called 'later'",
        ),
        (
            "- {type: freeze_window, config: {}}\n"
            "- type: command\n  when: gates.freeze_window.outcome == 'passed'\n"
            "  config: {command: ['true']}",
            r":8:\d+: .*'freeze_window' waits for this gate",
        ),
        (
            "- type: metric\n  config: {url: 'http://p', query: 'up{v=\"${{ release.v }}\"}', "
            "operator: <, threshold: 1}",
            r":7:\d+: .*query: .*column 8",
        ),
        (
            "- type: http\n  config:\n    url: https://user:secret@example.org/",
            r":8:\d+: .*url: .*must not hold a user or password",
        ),
        (
            "- type: http\n  config:\n    url: https://example.org/\n"
            "    headers: {Authorization: {secret: abc}}",
            r":9:\d+: .*headers.Authorization",
        ),
        (
            "- type: command\n  config:\n    command: rm -rf /tmp",
            r":8:\d+: .*command",
        ),
        (
            "- type: previous_environment\n  config:\n    environment: staging\n    soak: soon",
            r":9:\d+: .*soak: .*is not a duration",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, gates: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        load_environments(_file(tmp_path, gates))
    assert re.search(told, str(refused.value), re.S), json.dumps(str(refused.value))
    assert "secret@" not in str(refused.value)
    assert "problems" not in str(refused.value)
