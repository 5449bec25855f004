"""What is written for plugins in an environment file, held against them when it is applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.documents.environment_file import load_environments
from engine.errors import InputError
from engine.model.base import Json
from tests.plugins.builders import described, offer, program

SCHEMA: Json = {
    "properties": {"board": {"type": "string"}, "limit": {"type": "integer"}},
    "required": ["board"],
    "additionalProperties": False,
}
FILE = """\
environments:
  - name: production
    targets: [{name: t1, agent: a1}]
    gates:
      - type: plugin
        config:
          plugin: board
          inputs:
            board: ops
            limit: 3
    template:
      name: telling
      nodes:
        - id: announce
          type: plugin
          inputs:
            plugin: board
            inputs: {board: "${{ environment.name }}", limit: "${{ 1 + 1 }}"}
        - id: deploy
          type: deploy
          needs: [announce]
        - id: tell
          type: notify
          needs: [deploy]
          inputs:
            plugin:
              plugin: board
              inputs: {board: ops}
"""


@pytest.fixture
def file(tmp_path: Path, directory: Path) -> Path:
    offers = (offer(kind, "board", schema=SCHEMA) for kind in ("gate", "step", "notifier"))
    program(directory, "board", described("board", *offers), "exit 1")
    return tmp_path / "environments.yaml"


def test_what_fits_is_taken_and_expressions_are_left_for_later(file: Path) -> None:
    file.write_text(FILE)
    (definition,) = load_environments(file)
    (gate,) = definition.environment.gates
    assert (gate.type, gate.name) == ("plugin", "plugin")


@pytest.mark.parametrize(
    ("right", "wrong", "place", "told"),
    [
        ("limit: 3", "limit: three", ":10:", "'three' is not of type 'integer'"),
        ("board: ops\n", "bord: ops\n", ":6:", "'bord' was unexpected"),
        ("          plugin: board\n", "          plugin: bord\n", ":7:", "no plugin is called"),
        ('limit: "${{ 1 + 1 }}"', "limit: two", ":18:", "'two' is not of type 'integer'"),
        ('limit: "${{ 1 + 1 }}"', 'lmit: "${{ 1 + 1 }}"', ":18:", "('lmit' was unexpected)"),
        (
            "            plugin: board\n",
            "            plugin: bord\n",
            ":17:",
            "no plugin is called",
        ),
        ("inputs: {board: ops}", "inputs: {board: 7}", ":28:", "7 is not of type 'string'"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(
    file: Path, right: str, wrong: str, place: str, told: str
) -> None:
    assert right in FILE
    file.write_text(FILE.replace(right, wrong, 1))
    with pytest.raises(InputError) as caught:
        load_environments(file)
    assert place in str(caught.value)
    assert told in str(caught.value)
