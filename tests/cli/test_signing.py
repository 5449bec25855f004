"""Keys and signed votes at the command line."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import ExitCode
from engine.model.promotion import PromotionStatus
from tests.cli.conftest import Cli
from tests.harness.processes import PROMOTE

GATE = "[{type: approval, config: {required: 2, users: [bob, carol], signed: true}}]"
NOTHING = "    template: {name: nothing, nodes: [{id: wait, type: wait, inputs: {duration: 1s}}]}\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "passphrase").write_text("correct horse\n")
    return tmp_path


async def started(cli: Cli, release: str) -> str:
    handle = await cli.system.start(release, "signed")
    await cli.system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    return handle.id.removeprefix("promotion/")


async def test_from_new_keys_to_votes_that_others_can_verify(cli: Cli, keys: Path) -> None:
    bob, carol, passphrase = keys / "bob.pem", keys / "carol.pem", keys / "passphrase"
    entry = await cli.done("keys", "new", "--out", str(bob), "--user", "bob")
    encrypted = ("--type", "ed25519", "--key-passphrase-file", str(passphrase))
    more = await cli.done("keys", "new", "-o", str(carol), "--user", "carol", *encrypted)
    assert await cli.done("keys", "show", str(bob), "--user", "bob") == entry
    await cli.system.apply(
        entry
        + more.removeprefix("keys:\n")
        + "environments:\n"
        + cli.system.environment_yaml("signed", targets=1, gates=GATE, more=NOTHING)
    )
    promotion = await started(cli, await cli.system.release("3.0.0"))

    told = await cli.refused("approve", promotion, "--user", "bob", code=2)
    assert told.endswith(f"promote approve {promotion} --user bob --key FILE")
    ended = await cli("approve", promotion, "--user", "carol", "--key", str(bob))
    assert ended.returncode == ExitCode.USAGE
    assert "verifies with no key that is registered for carol" in ended.stderr

    approve = ("approve", promotion, "--user", "bob", "--comment", "fine", "--key", str(bob))
    code, drawn = await asyncio.to_thread(on_a_terminal, approve, cli.env(), b"n\n")
    assert code == ExitCode.FAILED
    assert "nothing was signed, and nothing was sent" in drawn
    for shown in (f"approve promotion {promotion}", "web@3.0.0 to signed", "comment: fine"):
        assert shown in drawn
    assert (await cli.system.promotions.state(promotion)).votes == ()
    code, drawn = await asyncio.to_thread(on_a_terminal, approve, cli.env(), b"y\n")
    assert code == ExitCode.DONE
    assert f"promotion {promotion}: approved by bob, now awaiting_approval" in drawn

    key = str(bob)
    withdraw = ("withdraw", promotion, "--reason", "too early")
    await cli.done(*withdraw, PROMOTE_APPROVER_KEY=key, PROMOTE_USER="bob")
    assert "withdrawn: too early" in await cli.done("status", promotion)
    await cli.done("approve", promotion, PROMOTE_APPROVER_KEY=key, PROMOTE_USER="bob")
    signing = ("--user", "carol", "--key", str(carol), "--key-passphrase-file", str(passphrase))
    await cli.done("approve", promotion, *signing)
    await cli.system.promotions.result(promotion, timedelta(seconds=60))

    evidence, public = keys / "evidence.json", keys / "signing.pub.pem"
    await cli.done("evidence", "export", promotion, "-o", str(evidence))
    public.write_text(await cli.done("evidence", "public-key"))
    votes = keys / "votes"
    listed = await cli.done(
        "evidence", "votes", str(evidence), "--key", str(public), "-o", str(votes)
    )
    assert [line.split()[-1] for line in listed.splitlines()] == ["bob", "bob", "bob", "carol"]
    assert sorted(path.name for path in votes.iterdir()) == [
        f"{name}.{end}"
        for name in ("01-approve", "01-withdraw", "02-approve", "03-approve")
        for end in ("json", "pub.pem")
    ]
    assert json.loads((votes / "01-approve.json").read_text())["signatures"]


def on_a_terminal(arguments: Sequence[str], env: dict[str, str], typed: bytes) -> tuple[int, str]:
    """The exit code of a command on a terminal where somebody types this, and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROMOTE, *arguments], env=env, stdout=theirs, stdin=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        # Linux reports an error once the last process has closed the terminal.
        with suppress(OSError):
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        return process.wait(60), shown.decode()


async def test_a_type_of_key_that_is_none_is_refused(cli: Cli, keys: Path) -> None:
    new = ("keys", "new", "-o", str(keys / "x.pem"), "--user", "bob", "--type", "rsa")
    assert "use one of p256, ed25519" in await cli.refused(*new, code=2)
    assert not (keys / "x.pem").exists()
