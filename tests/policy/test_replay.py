"""A changed policy over promotions on record, on both databases."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from engine.errors import InputError, NotFoundError
from engine.gates.asking import NOT_NEEDED
from engine.model.environment import Environment, Gate, Overriders
from engine.model.freeze import Freeze
from engine.model.verdict import Decision, GateOutcome, Override
from engine.policy import replay as module
from engine.policy.evaluation import Basis, Outcome, Verdicts
from engine.policy.replay import ReplayedGate, ReplayedPromotion, changed_environment, replay
from engine.store.store import Store
from tests.policy.records import APPROVAL, Past, called, environment, rules
from tests.store.samples import START, TENANT, release

DAY = timedelta(days=1)
SECURITY = Gate(
    type="security", name="security", config={"max_critical": 0, "require_report": False}
)
SOAK = Gate(
    type="previous_environment",
    name="soak",
    config={"environment": "staging", "soak": "1h"},
)
CAB = Gate(type="http", name="cab", config={"url": "https://cab.example/"})


def required(number: int) -> Gate:
    return APPROVAL.model_copy(update={"config": {**APPROVAL.config, "required": number}})


def frozen(on_freeze: str, begin: datetime) -> Gate:
    window = {
        "name": "all day",
        "timezone": "UTC",
        "start": f"{begin:%Y-%m-%dT%H:%M}",
        "duration": "24h",
    }
    config = {"on_freeze": on_freeze, "windows": [window]}
    return Gate(type="freeze_window", name="freeze", config=config)


def report(critical: int) -> bytes:
    found = [
        {
            "VulnerabilityID": f"CVE-2026-{number}",
            "PkgName": "openssl",
            "InstalledVersion": "3.0.1",
            "Severity": "CRITICAL",
        }
        for number in range(1000, 1000 + critical)
    ]
    results = [{"Target": "web", "Class": "os-pkgs", "Vulnerabilities": found}]
    about = {"SchemaVersion": 2, "ArtifactName": "web", "ArtifactType": "filesystem"}
    return json.dumps({**about, "Results": results}).encode()


async def replayed(store: Store, changed: Environment, **more: int) -> list[ReplayedPromotion]:
    return [each async for each in replay(store, TENANT, changed, limit=more.get("limit"))]


async def replayed_one(store: Store, changed: Environment) -> ReplayedPromotion:
    (found,) = await replayed(store, changed)
    return found


def gate(found: ReplayedPromotion, name: str) -> ReplayedGate:
    return next(each for each in found.gates if each.name == name)


async def test_the_policy_as_it_was_decides_every_promotion_alike(store: Store) -> None:
    override = Override(gate="security", user="carol", reason="known", at=START)
    overridable = SECURITY.model_copy(update={"override": Overriders(users=("carol",))})
    gates = (APPROVAL, overridable, frozen("wait", START + 9 * DAY), CAB)
    past = await Past(store, environment(*gates)).begin()
    good = {"cab": called(CAB, GateOutcome.PASSED, START + timedelta(minutes=1))}
    clean, bad = report(0), report(1)
    story: list[tuple[list[str | tuple[str, str]], bytes, list[Override]]] = [
        (["bob"], clean, []),
        ([("bob", "reject")], clean, []),
        (["bob"], bad, []),
        (["bob"], bad, [override]),
        ([], bad, []),
    ]
    for number, (votes, scanned, overrides) in enumerate(story):
        await past.decided(
            START + number * DAY,
            votes=votes,
            of=release(f"1.{number}.0", report=scanned),
            report=scanned,
            given=good,
            overrides=overrides,
        )
    found = await replayed(store, rules(*gates))
    assert [each.promotion_id for each in found] == past.ids[::-1]
    assert [each.recorded for each in found[::-1]] == [
        Decision.ALLOW,
        Decision.DENY,
        Decision.DENY,
        Decision.ALLOW,
        Decision.DENY,
    ]
    for each in found:
        assert not each.differs
        assert [one.name for one in each.gates if one.differs] == []
    waited = gate(found[0], "approval")
    assert (waited.replayed, waited.reason) == (Outcome.SKIPPED, NOT_NEEDED)
    assert gate(found[0], "cab").basis is Basis.RECORDED


async def test_more_approvals_than_there_were_would_have_been_waited_for(store: Store) -> None:
    past = await Past(store, environment(APPROVAL)).begin()
    await past.decided(START, votes=["bob"])
    found = await replayed_one(store, rules(required(2)))
    assert (found.recorded, found.replayed, found.differs) == (
        Decision.ALLOW,
        Verdicts.WAIT,
        True,
    )
    approval = gate(found, "approval")
    assert (approval.recorded, approval.replayed) == (GateOutcome.PASSED, Outcome.WAITING)
    assert "1 of 2" in approval.reason


@pytest.mark.parametrize(
    ("on_freeze", "verdict"), [("deny", Verdicts.DENY), ("wait", Verdicts.WAIT)]
)
async def test_a_freeze_that_there_was_not_needs_nothing_on_record_but_the_time(
    store: Store, on_freeze: str, verdict: Verdicts
) -> None:
    begin = START.replace(microsecond=0, second=0)
    past = await Past(store, environment(frozen("deny", begin + 5 * DAY))).begin()
    await past.decided(START)
    found = await replayed_one(store, rules(frozen(on_freeze, begin)))
    assert found.replayed is verdict
    assert gate(found, "freeze").until == (begin + DAY if on_freeze == "wait" else None)


async def test_a_gate_that_is_gone_no_longer_denies(store: Store) -> None:
    past = await Past(store, environment(APPROVAL, SECURITY)).begin()
    await past.decided(START, votes=["bob"], report=report(2))
    found = await replayed_one(store, rules(APPROVAL))
    assert (found.recorded, found.replayed) == (Decision.DENY, Verdicts.ALLOW)
    assert gate(found, "security").replayed is None
    looser = SECURITY.model_copy(update={"config": {**SECURITY.config, "max_critical": 2}})
    assert (await replayed_one(store, rules(APPROVAL, looser))).replayed is Verdicts.ALLOW


async def test_a_gate_is_told_what_it_was_told_then_whatever_came_later(store: Store) -> None:
    staging = await Past(store, environment(name="staging", order=0)).begin()
    first = release("1.4.0")
    await staging.decided(START, of=first)
    past = await Past(store, environment(SOAK), number=10).begin()
    await past.decided(START + timedelta(hours=3), of=first)
    # Something else took its place in staging since.
    await staging.decided(START + DAY, of=release("1.5.0", report=report(0)), report=report(0))

    assert not (await replayed_one(store, rules(SOAK))).differs
    longer = SOAK.model_copy(update={"config": {"environment": "staging", "soak": "24h"}})
    found = await replayed_one(store, rules(longer))
    assert found.replayed is Verdicts.WAIT
    assert gate(found, "soak").until == START + timedelta(hours=25)


async def test_what_a_gate_was_not_asked_is_looked_up_as_of_that_moment(store: Store) -> None:
    staging = await Past(store, environment(name="staging", order=0)).begin()
    old, new = release("1.4.0"), release("1.5.0", report=report(0))
    await staging.decided(START, of=old)
    past = await Past(store, environment(APPROVAL), number=10).begin()
    await past.decided(START + timedelta(minutes=90), of=old, votes=["bob"])
    await past.decided(START + timedelta(minutes=90), of=new, report=report(0), votes=["bob"])
    await staging.decided(START + DAY, of=new, report=report(0))
    stop = Freeze(
        id=uuid4(),
        tenant_id=past.definition.environment.tenant_id,
        name="stop",
        reason="outage",
        stops_the_line=True,
        start=START + timedelta(hours=2),
        created_by="bob",
        created_at=START + timedelta(hours=2),
    )
    await store.freezes.add(TENANT, stop)
    await store.freezes.lift(
        TENANT, "stop", user="bob", reason="over", at=START + timedelta(hours=3)
    )
    await past.decided(START + timedelta(hours=1, minutes=30), of=old, votes=["bob"])

    began = {each.promotion_id: each for each in await replayed(store, rules(APPROVAL, SOAK))}
    verdicts = [began[promotion].replayed for promotion in past.ids]
    assert verdicts == [Verdicts.ALLOW, Verdicts.DENY, Verdicts.ALLOW]
    assert "has not succeeded in staging" in gate(began[past.ids[1]], "soak").reason

    freeze = frozen("wait", START + 100 * DAY)
    stopped = {each.promotion_id: each for each in await replayed(store, rules(APPROVAL, freeze))}
    assert all(each.replayed is Verdicts.WAIT for each in stopped.values())
    assert "outage" in gate(stopped[past.ids[0]], "freeze").reason


async def test_what_is_not_on_record_is_unknown_and_no_difference(store: Store) -> None:
    past = await Past(store, environment(APPROVAL)).begin()
    await past.decided(START, votes=["bob"])
    found = await replayed_one(store, rules(APPROVAL, CAB))
    assert (found.replayed, found.differs) == (Verdicts.UNKNOWN, False)
    assert gate(found, CAB.name).replayed is Outcome.UNKNOWN
    # One that denies for certain is a difference, whatever else is unknown.
    begin = START.replace(microsecond=0, second=0)
    found = await replayed_one(store, rules(APPROVAL, CAB, frozen("deny", begin)))
    assert (found.replayed, found.differs) == (Verdicts.DENY, True)


async def test_a_gate_that_broke_stays_broken_and_on_error_is_the_new_one(store: Store) -> None:
    past = await Past(store, environment(CAB)).begin()
    at = START + timedelta(minutes=1)
    await past.decided(START, given={"cab": called(CAB, GateOutcome.FAILED, at, broke=True)})
    assert not (await replayed_one(store, rules(CAB))).differs
    tolerant = CAB.model_copy(update={"on_error": "allow"})
    assert (await replayed_one(store, rules(tolerant))).replayed is Verdicts.ALLOW
    conditional = CAB.model_copy(update={"when": "promotion.is_rollback"})
    found = await replayed_one(store, rules(conditional))
    assert gate(found, "cab").replayed is Outcome.SKIPPED


async def test_an_override_stands_only_where_the_person_may_still_override(store: Store) -> None:
    overridable = SECURITY.model_copy(update={"override": Overriders(users=("carol",))})
    override = Override(gate="security", user="carol", reason="known", at=START)
    past = await Past(store, environment(overridable)).begin()
    await past.decided(START, report=report(1), overrides=[override])
    assert not (await replayed_one(store, rules(overridable))).differs
    found = await replayed_one(store, rules(SECURITY))
    assert (found.recorded, found.replayed) == (Decision.ALLOW, Verdicts.DENY)


async def test_thousands_come_in_pages_each_once_and_nothing_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    past = await Past(store, environment(APPROVAL)).begin()
    for number in range(5):
        # Two of them at the same moment, on the border of two pages.
        await past.decided(START + min(number, 3) * DAY, votes=["bob"])
    before = await store.promotions.list(TENANT)
    found = await replayed(store, rules(required(2)))
    assert sorted(each.promotion_id for each in found) == sorted(past.ids)
    assert [each.requested_at for each in found] == sorted(
        (each.requested_at for each in found), reverse=True
    )
    assert len(await replayed(store, rules(required(2)), limit=3)) == 3
    recent = [
        each.promotion_id
        async for each in replay(store, TENANT, rules(APPROVAL), since=START + 3 * DAY)
    ]
    assert sorted(recent) == sorted(past.ids[3:])
    assert await store.promotions.list(TENANT) == before


async def test_a_file_without_the_environment_is_refused(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "environments.yaml"
    file.write_text(
        f"tenant: {TENANT}\nenvironments:\n"
        "  - {name: staging, targets: [{name: a, agent: a}]}\n"
    )
    with pytest.raises(InputError, match="has no environment 'production'; it has: staging"):
        await changed_environment(store, file, "production")
    tenant, changed = await changed_environment(store, file, "staging")
    with pytest.raises(NotFoundError, match="acme"):
        _ = [each async for each in replay(store, tenant, changed)]
