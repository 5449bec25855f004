"""Approvals on a real server: what is refused leaves no event, and what counts is signed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from engine.approvals.sign import sign
from engine.approvals.statement import ApprovalStatement, Word, statement_of
from engine.client.voting import Signature
from engine.errors import InputError
from engine.evidence.verify import verify_envelope
from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from engine.projection import project
from tests.approvals.voters import key_of
from tests.harness.http import serving
from tests.harness.system import System, running_system, until
from tests.workflows.faults import child, id_of

Handle = WorkflowHandle[Any, Any]
PEOPLE = ("alice", "bob", "carol", "dave", "erin")
ENDED = "2020-01-01T00:00:00Z"

SIGNED_GATE = (
    "[{type: approval, name: people, "
    "config: {required: 2, users: [alice, bob, carol, dave, erin], signed: true}}]"
)
NOTHING = "    template: {name: nothing, nodes: [{id: wait, type: wait, inputs: {duration: 1s}}]}\n"
STEPS = """\
    template:
      name: asking
      nodes:
        - id: hasty
          type: approval
          inputs: {users: [bob], timeout: 1s}
          on_failure: continue
        - id: signed
          type: approval
          inputs: {users: [carol, dave], required: 2, signed: true}
"""


def keys() -> str:
    """All people's keys; erin's has ended."""
    lines = ["keys:"]
    for person in PEOPLE:
        pem = key_of(person).public_pem.replace("\n", "\n        ")
        until = f"\n      until: {ENDED}" if person == "erin" else ""
        lines.append(f"  {person}:\n    - public_key: |\n        {pem}{until}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> AsyncIterator[System]:
    home: Path = tmp_path_factory.mktemp("system")
    with pytest.MonkeyPatch.context() as environ:
        async with running_system(home, temporal_address, environ) as running:
            await running.apply(
                keys()
                + "delegations: [{from: dave, to: frank, until: 2020-01-01T00:00:00Z}]\n"
                + "environments:\n"
                + running.environment_yaml("signed", targets=1, gates=SIGNED_GATE, more=NOTHING)
                + running.environment_yaml("steps", targets=1, more=STEPS)
                + running.environment_yaml(
                    "plain",
                    targets=1,
                    gates="[{type: approval, config: {required: 2, users: [bob, carol]}}]",
                    more=NOTHING,
                )
            )
            yield running


@pytest.fixture(scope="module")
async def release(system: System) -> str:
    return await system.release("1.0.0")


async def asked(system: System, release: str, environment: str) -> tuple[Handle, PromotionState]:
    handle = await system.start(release, environment)
    return handle, await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)


def vote(
    state: PromotionState, user: str, word: str = "approve", *, by: str = "", **more: Any
) -> dict[str, Any]:
    """What an update takes: the person's vote, signed by their key or by another."""
    comment = more.pop("comment", "")
    statement = statement_of(
        state, Word(word), more.pop("says", user), comment=comment, signed_at=datetime.now(UTC)
    )
    envelope = sign(statement, key_of(by or user))
    return {"user": user, "comment": comment, "envelope": envelope, **more}


async def events(handle: Handle) -> list[tuple[int, int]]:
    """The history, as ids and types."""
    return [(event.event_id, event.event_type) for event in (await handle.fetch_history()).events]


async def replays(system: System, handle: Handle) -> None:
    """Run the whole history again, which verifies every signature in it once more."""
    assert (await project(system.client, handle.id)).spans


async def refused(handle: Handle, update: str, given: Any, reason: str) -> None:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(update, given)
    assert reason in str(caught.value.cause), str(caught.value.cause)


def forged(given: dict[str, Any]) -> dict[str, Any]:
    """The same with another signature of the right form."""
    (signature,) = given["envelope"]["signatures"]
    other = "A" if signature["sig"][8] != "A" else "B"
    signature["sig"] = signature["sig"][:8] + other + signature["sig"][9:]
    return given


async def test_each_wrong_vote_is_refused_with_its_reason_and_leaves_no_event(
    system: System, release: str
) -> None:
    other_handle, other = await asked(system, release, "signed")
    handle, state = await asked(system, release, "signed")
    await handle.execute_update("approve", vote(state, "bob", comment="checked"))
    two = vote(state, "carol")
    two["envelope"]["signatures"] *= 2
    stale = {**vote(state, "carol"), "binding": "sha256:" + "0" * 64}
    table = [
        ("approve", vote(state, "alice"), "alice asked for this promotion and may not approve it"),
        ("approve", vote(state, "bob"), "bob has voted already, and each person has one vote"),
        ("reject", vote(state, "bob", "reject"), "bob has voted already"),
        ("approve", {"user": "carol"}, "envelope: is missing; here each vote has to be signed"),
        ("reject", {"user": "carol"}, "envelope: is missing"),
        ("approve", forged(vote(state, "carol")), "the signature verifies with no key"),
        ("approve", vote(state, "carol", by="dave"), "the signature verifies with no key"),
        ("approve", vote(state, "carol", by="dave", says="dave"), "verifies with no key"),
        ("approve", vote(other, "carol"), "it was signed for the promotion"),
        ("approve", vote(state, "carol", "reject"), "the word 'reject' instead of 'approve'"),
        ("approve", {**vote(state, "carol"), "comment": "not mine"}, "with another comment"),
        ("approve", two, "has 2 signatures"),
        ("approve", stale, "binding: the release, template or policy is not the one"),
        ("approve", vote(state, "erin"), "the key of erin that signed it was valid until 2020"),
        ("approve", {"user": "frank"}, "the delegation from dave ended at 2020-01-01"),
        ("approve", {**vote(state, "carol"), "on_behalf_of": "dave"}, "has not delegated to carol"),
        ("approve", {"user": "mallory"}, "may not vote on this promotion"),
        ("withdraw", {"user": "bob"}, "envelope: is missing"),
        ("withdraw", {"user": "carol"}, "carol has no vote to take back"),
        ("withdraw", {"usr": "bob"}, "user: field required"),
    ]
    before = await events(handle)
    for update, given, reason in table:
        await refused(handle, update, given, reason)
    assert await events(handle) == before
    now = PromotionState.model_validate(await handle.query("status"))
    assert [(each.user, each.is_signed, each.envelope) for each in now.votes] == [
        ("bob", True, None)
    ]

    await handle.execute_update("approve", vote(state, "carol"))
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    over = await events(handle)
    with pytest.raises(RPCError) as late:
        await handle.execute_update("approve", vote(state, "dave"))
    assert late.value.status is RPCStatusCode.NOT_FOUND
    with pytest.raises(InputError, match="has ended, so that it takes no 'approve' any more"):
        await system.promotions.approve(id_of(handle), "dave")
    assert await events(handle) == over
    await other_handle.terminate()

    row = await system.store.evidence.get(id_of(handle))
    public = (system.settings.home / "keys" / "signing.pub.pem").read_bytes()
    approvals = verify_envelope(row.envelope, public).predicate.approvals
    assert [(one.user, one.counts) for one in approvals] == [("bob", True), ("carol", True)]
    signatures = [one.signature for one in approvals]
    assert [one and one.public_key for one in signatures] == [
        key_of("bob").public_pem,
        key_of("carol").public_pem,
    ]
    (gate,) = result.gates
    assert set(gate.inputs) == {"vote/bob", "vote/carol"}
    await replays(system, handle)


async def test_after_its_expiry_a_vote_is_refused_and_a_stolen_credential_moves_nothing(
    system: System, release: str
) -> None:
    handle, state = await asked(system, release, "steps")
    run = await child(system, handle, "workflow")
    await until_step(system, handle, "hasty", "failed")
    before = await events(handle)
    expired = "user: hasty, where bob may vote, has ended without its approvals"
    await refused(handle, "approve", {"user": "bob"}, expired)
    assert await events(handle) == before

    now = datetime.now(UTC).isoformat()
    plain = {"decision": "approve", "binding": state.binding, "at": now}
    for user in ("carol", "dave"):
        # Past the promotion's own workflow, to the run that counts the votes.
        await run.signal("vote", {**plain, "user": user})
        await run.signal("vote", {**plain, "user": user, **forged(vote(state, user))})
    genuine = vote(state, "carol")
    state = PromotionState.model_validate(await handle.execute_update("approve", genuine))
    await handle.execute_update(
        "withdraw", {"user": "carol", **only_envelope(vote(state, "carol", "withdraw"))}
    )
    # What carol has taken back is brought again, as if it had just been given.
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await run.signal("vote", {**plain, **genuine, "at": later})
    await handle.execute_update("approve", vote(state, "dave"))
    waits = await until_step(
        system, handle, "signed", "waiting", "1 of 2 approvals; waiting for carol"
    )
    assert waits.status is PromotionStatus.AWAITING_APPROVAL
    await handle.execute_update("approve", vote(state, "carol"))
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    await replays(system, handle)


def only_envelope(given: dict[str, Any]) -> dict[str, Any]:
    return {"envelope": given["envelope"]}


async def until_step(
    system: System, handle: Handle, node_id: str, status: str, detail: str = ""
) -> PromotionState:
    """Wait until a step has the given status and says so much."""
    state: PromotionState | None = None
    for _ in range(1200):
        state = await system.promotions.state(id_of(handle))
        step = next((one for one in state.steps if one.node_id == node_id), None)
        if step is not None and step.status == status and detail in step.detail:
            return state
        await asyncio.sleep(0.05)
    raise AssertionError(f"{node_id} never became {status} {detail!r}: {state}")


async def test_a_withdrawn_approval_no_longer_counts_and_its_voter_may_vote_again(
    system: System, release: str
) -> None:
    handle, _ = await asked(system, release, "plain")
    promotion = id_of(handle)
    both = await asyncio.gather(
        *(handle.execute_update("approve", {"user": "bob"}) for _ in range(2)),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, WorkflowUpdateFailedError) for one in both) == [False, True]
    accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    assert [kind for _, kind in await events(handle)].count(accepted) == 1
    state = await system.promotions.withdraw(promotion, "bob", "too early")
    assert [(one.user, one.withdrawal_reason) for one in state.votes] == [("bob", "too early")]
    state = await system.promotions.approve(promotion, "carol")
    await until_waits(system, handle, "1 of 2 approvals; waiting for bob")
    await system.promotions.approve(promotion, "bob", "now it does")
    result = await system.promotions.result(promotion, timedelta(seconds=60))
    assert result.status is PromotionStatus.SUCCEEDED
    votes = (await system.store.promotions.get(promotion)).votes
    assert {(one.user, one.comment, one.withdrawn_at) for one in votes} == {
        ("carol", "", None),
        ("bob", "now it does", None),
    }


async def until_waits(system: System, handle: Handle, text: str) -> None:
    for _ in range(1200):
        if (await system.promotions.state(id_of(handle))).waiting_for == text:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never waits for: {text}")


async def test_the_client_signs_what_the_promotion_is_about(system: System, release: str) -> None:
    handle, _ = await asked(system, release, "signed")
    promotion = id_of(handle)
    shown: list[ApprovalStatement] = []
    for person in ("bob", "carol"):
        signature = Signature(key_of(person), shown.append)
        await system.promotions.approve(promotion, person, "checked", signature=signature)
    assert [one.predicate.user for one in shown] == ["bob", "carol"]
    result = await system.promotions.result(promotion, timedelta(seconds=60))
    assert result.status is PromotionStatus.SUCCEEDED


async def test_people_are_reminded_once_for_each_reminder(system: System, release: str) -> None:
    told: list[tuple[dict[str, Any], Mapping[str, str]]] = []

    def take(body: bytes, headers: Mapping[str, str]) -> bytes:
        told.append((json.loads(body), headers))
        return b""

    with serving({"/reminders": take}) as endpoint:
        config = (
            "{users: [bob, carol], required: 2, remind: [1s, 2s], "
            f"remind_by: [{{url: '{endpoint}/reminders'}}, {{url: '{endpoint}/nobody'}}]}}"
        )
        gates = f"[{{type: approval, name: people, config: {config}}}]"
        await system.apply(
            "environments:\n"
            + system.environment_yaml("reminding", targets=1, gates=gates, more=NOTHING)
        )
        handle, state = await asked(system, release, "reminding")
        await until(lambda: len(told) >= 2, "both reminders are given")
        assert [body["number"] for body, _ in told] == [1, 2]
        body, headers = told[0]
        assert body["who"] == ["bob", "carol"]
        assert body["waiting_for"] == "0 of 2 approvals; waiting for bob or carol"
        assert body["text"].startswith(f"{release} to reminding waits for an approval by bob")
        assert {headers["idempotency-key"] for _, headers in told} == {
            f"{state.promotion_id}/people/reminder/{number}/0" for number in (1, 2)
        }
        assert headers["traceparent"].split("-")[1] == state.trace_id
        # A receiver that refuses is in nobody's way, and neither is a vote between reminders.
        for person in ("bob", "carol"):
            await handle.execute_update("approve", {"user": person})
        result = PromotionResult.model_validate(await handle.result())
        assert result.status is PromotionStatus.SUCCEEDED
        (gate,) = result.gates
        assert gate.attributes["approval.reminders"] == 2
        assert len(told) == 2
    await replays(system, handle)
