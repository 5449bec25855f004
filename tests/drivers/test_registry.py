from __future__ import annotations

from pathlib import Path

import pytest

from engine.drivers import registry
from engine.drivers.directory.driver import DirectoryDriver
from engine.errors import InputError
from engine.model.base import Json

PLUG_IN = """
from typing import ClassVar
from engine.drivers.protocol import Outcome
from engine.model.base import Document

class Config(Document):
    colour: str

class Painter:
    name: ClassVar[str] = "paint"
    config: ClassVar[type[Document]] = Config
    async def pull(self, task, context): return Outcome(False)
    async def deploy(self, task, context): return Outcome(False)
    async def health_check(self, task, context): return Outcome(False)

class Impostor(Painter):
    name = "directory"

class Half:
    name = "half"
    config = Config

def broken():
    raise RuntimeError("no brush")
"""

ENTRY_POINTS = """
[promotion_engine.drivers]
paint = a_painter:Painter
directory = a_painter:Impostor
alias = a_painter:Painter
half = a_painter:Half
broken = a_painter:broken
missing = a_painter:Nothing
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_painter.py").write_text(PLUG_IN)
    info = tmp_path / "a_painter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-painter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)


def test_the_directory_driver_is_built_in() -> None:
    assert "directory" in registry.names()
    assert isinstance(registry.get("directory"), DirectoryDriver)
    assert isinstance(registry.driver("directory"), DirectoryDriver)


def test_an_unknown_driver_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"use one of: .*directory") as caught:
        registry.get("carrier-pigeon")
    assert caught.value.field == "driver"


@pytest.mark.usefixtures("plug_in")
def test_another_distribution_adds_a_driver() -> None:
    assert "paint" in registry.names()
    assert type(registry.get("paint")).__name__ == "Painter"
    registry.check_config("paint", {"colour": "blue"})
    with pytest.raises(InputError) as caught:
        registry.check_config("paint", {})
    assert caught.value.field == "config.colour"


@pytest.mark.usefixtures("plug_in")
def test_another_distribution_cannot_replace_a_built_in_driver() -> None:
    assert isinstance(registry.get("directory"), DirectoryDriver)
    assert registry.names().count("directory") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alias", "not a driver of that name"),
        ("half", "not a driver of that name"),
        ("broken", "RuntimeError: no brush"),
        ("missing", "cannot be loaded: AttributeError"),
    ],
)
@pytest.mark.usefixtures("plug_in")
def test_a_driver_that_cannot_be_used_is_an_input_error(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        registry.get(name)
    assert caught.value.field == "driver"
    assert "a_painter" in caught.value.remedy


URL = "http://127.0.0.1:18081/healthz"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"service": {"command": ["python3", "server.py"], "environment": {"PORT": "18081"}}},
        {"restart_command": ["systemctl", "restart", "web"], "keep_releases": 1},
        {"health": {"url": URL, "timeout": "1m", "interval": "PT0.5S", "expect_status": 204}},
        {"service": None, "health": None},
    ],
)
def test_a_good_configuration_passes(config: dict[str, Json]) -> None:
    registry.check_config("directory", config)


@pytest.mark.parametrize(
    ("config", "field", "message"),
    [
        ({"servce": {}}, "config.servce", "this driver takes health, keep_releases"),
        ({"service": {"comand": []}}, "config.service.command", "required"),
        ({"service": {"command": []}}, "config.service.command", "at least 1"),
        ({"service": {"command": "python3 x"}}, "config.service.command", "tuple"),
        ({"service": {"command": ["a", 1]}}, "config.service.command.1", "string"),
        ({"service": {"command": ["a\0b"]}}, "config.service.command.0", "NUL"),
        (
            {"service": {"command": ["a"], "environment": {"PORT": 1}}},
            "config.service.environment.PORT",
            "string",
        ),
        (
            {"service": {"command": ["a"], "environment": {"PROMOTE_TARGET": "x"}}},
            "config.service.environment.PROMOTE_TARGET",
            "set by the driver",
        ),
        ({"health": {"url": "ftp://host/"}}, "config.health.url", "http"),
        ({"health": {"url": URL, "timeout": "soon"}}, "config.health.timeout", "not a duration"),
        ({"health": {"url": URL, "interval": "0s"}}, "config.health.interval", "longer than"),
        ({"health": {"url": URL, "retries": 3}}, "config.health.retries", "not known"),
        ({"keep_releases": 0}, "config.keep_releases", "greater than"),
        (
            {"service": {"command": ["a"]}, "restart_command": ["b"]},
            "config",
            "either service or restart_command",
        ),
    ],
)
def test_a_bad_configuration_names_the_field(
    config: dict[str, Json], field: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        registry.check_config("directory", config)
    assert caught.value.field.removesuffix(".[key]") == field
