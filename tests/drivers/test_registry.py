from __future__ import annotations

import pytest

from engine.drivers import registry
from engine.drivers.directory.driver import DirectoryDriver
from engine.errors import InputError
from engine.model.base import Json


def test_the_directory_driver_is_built_in() -> None:
    assert "directory" in registry.names()
    assert isinstance(registry.get("directory"), DirectoryDriver)
    assert isinstance(registry.driver("directory"), DirectoryDriver)


def test_an_unknown_driver_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"use one of: .*directory") as caught:
        registry.get("carrier-pigeon")
    assert caught.value.field == "driver"


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
