"""`promote freeze` and `promote override`, with promotions under way."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from engine.cli.main import app
from engine.errors import InputError
from engine.model.promotion import PromotionStatus
from tests.cli.conftest import Cli


async def test_freezes_are_set_shown_and_lifted(cli: Cli) -> None:
    tenant = ("--tenant", cli.system.tenant)
    planned = await cli.done(
        "freeze", "add", "audit", "-e", "free", *tenant, "--start", "2030-12-24T12:00", "--end",
        "2031-01-04T08:00", "--timezone", "Europe/Berlin", "--reason", "audit", "--user", "lena",
    )  # fmt: skip
    assert planned == "freeze audit: free, from 2030-12-24 11:00 UTC until 2031-01-04 07:00 UTC\n"

    release = await cli.system.release("1.0.0-frozen")
    waiting = await cli.system.start(release, "gated")
    await cli.system.until_status(waiting.id, PromotionStatus.AWAITING_APPROVAL)
    stopped = json.loads(
        await cli.done(
            "freeze", "stop-the-line", "--all", *tenant, "--reason", "fire", "--user", "lena",
            "--json",
        )
    )  # fmt: skip
    assert (stopped["name"], stopped["stops_the_line"]) == ("stop-the-line", True)
    denied = await cli("start", "-r", release, "-e", "free", *tenant, "--wait", "--json")
    assert denied.returncode == 3
    state = json.loads(denied.stdout)
    assert state["gates"][0]["result"]["reason"].startswith("the line is stopped, by lena: fire")
    await cli.system.promotions.approve(waiting.id, "bob")
    await cli.system.until_status(waiting.id, PromotionStatus.BLOCKED)

    shown = json.loads(await cli.done("freeze", "list", "-e", "free", *tenant, "--json"))
    assert [each["name"] for each in shown["freezes"]] == ["stop-the-line", "audit"]
    assert shown["windows"] == []
    table = await cli.done("freeze", "list", *tenant)
    assert "line stopped" in table
    assert "planned" in table

    lifted = await cli.done(
        "freeze", "lift", stopped["id"], *tenant, "--reason", "out", "--user", "max"
    )
    assert lifted == "freeze stop-the-line: lifted by max\n"
    assert (await waiting.result())["status"] == "succeeded"
    await cli.system.store.freezes.lift(
        cli.system.tenant, "audit", user="max", reason="none", at=datetime.now(UTC)
    )


async def test_who_may_not_override_or_roll_back_is_told_so(cli: Cli) -> None:
    release = await cli.system.release("1.0.1-frozen")
    handle = await cli.system.start(release, "gated")
    await cli.system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    refused = await cli.refused("override", handle.id, "--reason", "now", "--user", "eve", code=2)
    assert refused == "user: there is no open gate that 'eve' may override"
    await cli.system.promotions.cancel(handle.id, "alice")

    start = ("start", "-r", release, "-e", "gated", "--tenant", cli.system.tenant)
    refused = await cli.refused(*start, "--override", "approval=now", code=2)
    assert refused.startswith("overrides.approval: ")
    refused = await cli.refused(*start, "--rollback", code=2)
    assert refused.startswith(f"rollback: {release} is none that 'gated' had before")


STOP = ("freeze", "stop-the-line", "--reason", "fire")
ADD = ("freeze", "add", "audit", "--all", "--reason", "audit")
START = ("start", "-r", "web@1.0.0", "-e", "free")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (STOP, "--environment: give either this, or --all"),
        ((*STOP, "--all", "-e", "free"), "--environment: give either this, or --all"),
        (("freeze", "stop-the-line", "--all"), "--reason: is missing; say why, for the record"),
        (("freeze", "lift", "stop"), "--reason: is missing; say why"),
        (("override", "8b6d", "--reason", " "), "--reason: is missing; say why"),
        ((*ADD, "--end", "2030-01-01T00:00"), "--end: 2030-01-01T00:00 says no time zone"),
        ((*ADD, "--end", "2020-01-01T00:00Z"), "--end: 2020-01-01T00:00Z is not after its begin"),
        ((*ADD, "--start", "soon"), "--start: 'soon' is no date and time"),
        (
            (*ADD, "--start", "2030-01-01T00:00", "--timezone", "Mars"),
            "--timezone: 'Mars' is no time zone",
        ),
        (("freeze", "add", "No Name", *ADD[3:]), "NAME: 'No Name' is no name"),
        ((*START, "--override", "calendar"), "--override: 'calendar' is not GATE=REASON"),
        ((*START, "--override", "=why"), "--override: '=why' is not GATE=REASON"),
        (
            (*START, "--override", "calendar=a", "--override", "calendar=b"),
            "--override: 'calendar' is given twice",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], message: str) -> None:
    ended = CliRunner().invoke(app, arguments)
    assert isinstance(ended.exception, InputError)
    assert str(ended.exception).startswith(message)
