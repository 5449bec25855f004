from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from engine.cli.request_input import read_request
from engine.errors import InputError
from engine.model.promotion import PromotionRequest

WANTED = PromotionRequest(release="web@1.0.0", environment="staging", requested_by="alice")
JSON = '{\n\t"release": "web@1.0.0",\n\t"environment": "staging",\n\t"requested_by": "alice"\n}'
YAML = "release: web@1.0.0\nenvironment: staging\nrequested_by: alice\n"
FLOW = "{release: web@1.0.0, environment: staging, requested_by: alice}"


def on_stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize("text", [JSON, YAML, FLOW], ids=["json", "yaml", "flow"])
@pytest.mark.parametrize("by_stdin", [True, False], ids=["stdin", "file"])
def test_json_and_yaml_are_read(
    text: str, by_stdin: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "request"
    path.write_text(text)
    on_stdin(monkeypatch, text)
    assert read_request("-" if by_stdin else str(path)) == WANTED


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("r.json", '{"release": "web@1.0.0",\n "environment" }', r"r\.json:2:16: is not well"),
        ("r.yaml", "release: [\nenvironment: x", r"r\.yaml:\d:\d+: is not well-formed YAML"),
        ("r.yaml", "- release", r"r\.yaml:1:1: must be a mapping"),
        ("r.yaml", YAML + "tennant: x\n", r"r\.yaml:4:1: tennant: is not a known .*did you mean"),
        ("r.yaml", "release: web@1.0.0\nrequested_by: a\n", r"environment: is missing"),
        ("r.yaml", "", r"r\.yaml:1:1: is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    name: str, text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        read_request(str(path))
    assert str(caught.value).count("\n") == 0


def test_json_is_told_about_as_json(tmp_path: Path) -> None:
    path = tmp_path / "request"
    path.write_text('{"release": "web@1.0.0" "environment": "x"}')
    with pytest.raises(InputError, match="is not well-formed JSON: Expecting ',' delimiter"):
        read_request(str(path))


def test_standard_input_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    on_stdin(monkeypatch, "{release")
    with pytest.raises(InputError, match=r"^standard input:1:2: ") as caught:
        read_request("-")
    assert "tmp" not in str(caught.value)


def test_a_file_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_request(str(tmp_path / "none"))
