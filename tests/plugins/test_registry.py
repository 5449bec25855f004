from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.plugins import registry
from engine.plugins.calls import Unrecorded
from engine.plugins.protocol import Kind, OfferKind
from tests.plugins.builders import Noted, described, installed, offer, program, result

WEATHER = """
from engine.plugins.protocol import Description, Offer

class Weather:
    def describe(self):
        return Description(id="weather", version="2.0", offers=(Offer(kind="gate", name="sky"),))
    async def call(self, call):
        return {"verdict": "allow", "reason": "fine"}

class NotAsync(Weather):
    def call(self, call):
        return {}

class NeedsArguments(Weather):
    def __init__(self, token):
        self.token = token

class NoDescription(Weather):
    def describe(self):
        return {"id": "weather"}

class Failing(Weather):
    def describe(self):
        raise RuntimeError("no licence")

class OtherName(Weather):
    def describe(self):
        return super().describe().model_copy(update={"id": "climate"})

class Nothing:
    pass

instance = Weather()
"""


@pytest.mark.parametrize("target", ["Weather", "instance"])
def test_an_installed_distribution_is_found_by_its_entry_point(site: Path, target: str) -> None:
    module = f"a_{target.lower()}"
    installed(site, module, WEATHER, f"weather = {module}:{target}")
    assert "weather" in registry.names()
    found = registry.get("weather")
    assert (found.kind, found.origin, found.digest) == (Kind.PYTHON, module, None)
    assert found.offer(OfferKind.GATE, None).name == "sky"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("Missing", "AttributeError"),
        ("NotAsync", "`call` is no async method"),
        ("NeedsArguments", "TypeError"),
        ("NoDescription", "does not return a Description"),
        ("Failing", "RuntimeError: no licence"),
        ("OtherName", "calls itself 'climate'"),
        ("Nothing", "no method `describe`"),
    ],
)
def test_a_distribution_that_cannot_be_used_is_named(site: Path, target: str, told: str) -> None:
    module = f"broken_{target.lower()}"
    installed(site, module, WEATHER, f"weather = {module}:{target}")
    assert "weather" in registry.names()
    with pytest.raises(InputError, match=told) as caught:
        registry.get("weather")
    assert module in str(caught.value)
    assert caught.value.field == "plugin"


def test_an_executable_is_found_by_its_file_name(directory: Path) -> None:
    path = program(directory, "sky", described("sky", offer("gate"), offer("step")), "")
    (directory / "README").write_text("no plugin")
    (directory / ".hidden").write_text("#!/bin/sh\n")
    (directory / ".hidden").chmod(0o755)
    (directory / "dangling").symlink_to("nowhere")
    assert registry.names() == ("sky",)
    found = registry.get("sky")
    assert (found.kind, found.origin) == (Kind.EXECUTABLE, str(path))
    assert found.digest is not None
    assert [each.kind for each in found.description.offers] == [OfferKind.GATE, OfferKind.STEP]


async def test_an_executable_describes_itself_once_for_each_content(directory: Path) -> None:
    path = program(directory, "sky", described("sky", offer("gate")), "")
    noted = Noted()
    first = await registry.find("sky", noted)
    await registry.find("sky", noted)
    assert noted.made == [("sky", "describe", "", "")]
    program(directory, "sky", described("sky", offer("step")), "")
    second = await registry.find("sky", noted)
    assert len(noted.made) == 2
    assert first.digest != second.digest
    assert second.description.offers[0].kind is OfferKind.STEP
    assert path.exists()


@pytest.mark.parametrize(
    ("description", "told"),
    [
        (described("other", offer()), "calls itself 'other'"),
        (described("sky"), "describe.offers"),
        (described("sky", offer(), protocol=2), "describe.protocol: is 2"),
        (described("sky", offer("gat")), "describe.offers.0.kind"),
        (described("sky", offer(), offer()), "two things of one kind under one name"),
        (described("sky", offer(schema={"type": "objec"})), "the schema of its gate gate"),
        (described("sky", offer(timeout="2h")), "describe.offers.0.timeout"),
        (described("sky", offer(), author="me"), "describe.author"),
    ],
)
def test_an_executable_that_says_something_else_is_named(
    directory: Path, description: dict[str, object], told: str
) -> None:
    program(directory, "sky", description, "")  # type: ignore[arg-type]  # some are wrong on purpose
    with pytest.raises(InputError) as caught:
        registry.get("sky")
    assert told in str(caught.value)
    assert str(directory / "sky.sh") in str(caught.value)


def test_one_that_is_broken_leaves_the_others_usable(directory: Path) -> None:
    program(directory, "good", described("good", offer()), "")
    (directory / "bad").write_text("#!/no/such/interpreter\n")
    (directory / "bad").chmod(0o755)
    assert registry.names() == ("bad", "good")
    assert registry.get("good").id == "good"
    with pytest.raises(InputError, match="cannot run"):
        registry.get("bad")


def test_two_of_one_id_are_refused(directory: Path, site: Path) -> None:
    program(directory, "weather", described("weather", offer()), "")
    installed(site, "twice", WEATHER, "weather = twice:Weather")
    with pytest.raises(InputError, match=r"weather\.sh and twice are both 'weather'"):
        registry.get("weather")


def test_an_unknown_one_is_refused_with_the_known_ones(directory: Path) -> None:
    program(directory, "sky", described("sky", offer()), "")
    with pytest.raises(InputError, match="known plugins: sky"):
        registry.get("sk")


def test_a_directory_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMOTE_PLUGINS", str(tmp_path / "none"))
    with pytest.raises(InputError, match="No such file") as caught:
        registry.names()
    assert caught.value.field == "PROMOTE_PLUGINS"


async def test_which_offer_is_meant(directory: Path) -> None:
    offers = (offer("gate", "a"), offer("gate", "b"), offer("step", "c"))
    program(directory, "sky", described("sky", *offers), result())
    found = await registry.find("sky", Unrecorded())
    assert found.offer(OfferKind.STEP, None).name == "c"
    assert found.offer(OfferKind.GATE, "b").name == "b"
    with pytest.raises(InputError, match="several; its offers of that kind: a, b"):
        found.offer(OfferKind.GATE, None)
    with pytest.raises(InputError, match="offers no gate 'c'"):
        found.offer(OfferKind.GATE, "c")
    with pytest.raises(InputError, match="offers no driver"):
        found.offer(OfferKind.DRIVER, None)
