from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError, PluginError
from engine.plugins.secrets import resolve
from tests.plugins.builders import Noted, described, offer, program

VAULT = """case "$call" in
*'"reference": "db/password"'*) printf '%s' '{"result": {"secret": "s3cret"}}' ;;
*'"reference": "huge"'*) printf '{"result": {"secret": "%065537d"}}' 0 ;;
*) printf '%s' '{"error": {"type": "NoSuchSecret", "message": "it is not there"}}' ;;
esac"""


async def test_a_plugin_resolves_its_references(directory: Path) -> None:
    program(directory, "vault", described("vault", offer("secrets", "kv")), VAULT)
    noted = Noted()
    assert await resolve("plugin:vault:db/password", noted) == "s3cret"
    assert await resolve("plugin:vault/kv:db/password", noted) == "s3cret"
    assert noted.made[-1] == ("vault", "secret.resolve", "kv", "")
    with pytest.raises(PluginError, match="NoSuchSecret"):
        await resolve("plugin:vault:db/user", noted)
    with pytest.raises(InputError, match="larger than 64 KiB"):
        await resolve("plugin:vault:huge", noted)


async def test_others_are_resolved_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "from here")
    assert await resolve("env:A_TOKEN", Noted()) == "from here"


@pytest.mark.parametrize("reference", ["plugin:", "plugin:vault", "plugin:vault:", "plugin:V V:x"])
async def test_what_names_no_plugin_and_secret_is_no_reference(reference: str) -> None:
    with pytest.raises(InputError, match=r"write plugin:<id>:<reference>"):
        await resolve(reference, Noted())
