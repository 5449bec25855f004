"""A policy test's case as the values that gates decide over."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from engine.approvals.keys import ApproverSigner, KeyKind, make_key
from engine.approvals.sign import sign
from engine.approvals.statement import Word, statement_of
from engine.documents.release_file import MAX_ATTACHMENT_BYTES, load_release
from engine.errors import InputError
from engine.gates.asking import FROM_RECORD
from engine.gates.freezes import STOP_THE_LINE, keeper
from engine.model import identity
from engine.model.approval import Vote
from engine.model.canonical import digest_of_bytes
from engine.model.environment import ApproverKey, Environment, EnvironmentDefinition, Gate
from engine.model.execution import StepResult
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Attachment, AttachmentDocument, Component, Release
from engine.model.standing import Standing
from engine.policy.cases import (
    GivenFreeze,
    GivenRelease,
    GivenStanding,
    GivenVote,
    PolicyCase,
)
from engine.policy.evaluation import Basis, Finding, Outcome, Question
from engine.policy.services import GivenServices

_ANSWERED = {"allow": Outcome.PASSED, "deny": Outcome.FAILED, "defer": Outcome.WAITING}
_A_WHILE = timedelta(days=1)
_PROMOTION = identity.promotion_id("policy-test", "policy-test")


@dataclass(frozen=True)
class LoadedRelease:
    """A release and its attachments' bytes by digest."""

    release: Release
    attachments: Mapping[str, bytes] = field(repr=False)


def release_of(given: str | GivenRelease, directory: Path, tenant: str) -> LoadedRelease:
    """The release that a test names or writes out.

    Raises:
        InputError: a file cannot be read.
    """
    if isinstance(given, str):
        loaded = load_release(directory / given)
        return LoadedRelease(loaded.release, loaded.attachments)
    tenant_id = identity.tenant_id(tenant)
    stored: dict[str, bytes] = {}
    components = tuple(
        Component(
            name=each.name,
            artifact=each.artifact or f"file:///{each.name}",
            digest=each.digest or digest_of_bytes(each.name.encode()),
            attachments=tuple(_attachment(one, directory, stored) for one in each.attachments),
        )
        for each in given.components
    )
    return LoadedRelease(
        Release(
            id=identity.release_id(tenant_id, given.name, given.version),
            tenant_id=tenant_id,
            name=given.name,
            version=given.version,
            components=components,
            committers=given.committers,
        ),
        stored,
    )


def _attachment(given: AttachmentDocument, directory: Path, stored: dict[str, bytes]) -> Attachment:
    path = directory / given.path
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ATTACHMENT_BYTES + 1)
    except OSError as error:
        raise InputError("attachments", f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise InputError("attachments", f"{path} is larger than an attachment may be")
    digest = digest_of_bytes(content)
    stored[digest] = content
    return Attachment(name=path.name, format=given.format, digest=digest, size=len(content))


@dataclass(frozen=True)
class Scene:
    """A promotion, the votes on it, and the gates that are to be asked."""

    promotion: PromotionSnapshot
    votes: tuple[Vote, ...]
    questions: tuple[Question, ...]


def scene_of(case: PolicyCase, definition: EnvironmentDefinition, loaded: LoadedRelease) -> Scene:
    """What a case describes."""
    signers = _stand_ins(case.votes, definition.environment)
    environment = _with_stand_ins(definition.environment, signers)
    opened_at = case.now - case.open_for
    promotion = PromotionSnapshot(
        promotion_id=_PROMOTION,
        workflow_id=f"promotion/{_PROMOTION}",
        tenant=definition.tenant,
        tenant_id=environment.tenant_id,
        release=loaded.release,
        environment=environment,
        target_count=len(definition.targets),
        requested_by=case.requested_by,
        user_id=identity.user_id(environment.tenant_id, case.requested_by),
        reason=case.reason,
        parameters={**environment.parameters, **case.parameters},
        is_rollback=case.rollback,
        requested_at=opened_at,
    )
    freezes = tuple(
        _freeze(given, number, opened_at, environment) for number, given in enumerate(case.freezes)
    )
    standings = {name: _standing(name, each, case.now) for name, each in case.standings.items()}
    gates: tuple[Gate, ...] = environment.gates
    if freezes and keeper(environment) is STOP_THE_LINE:
        gates = (*gates, STOP_THE_LINE)
    return Scene(
        promotion=promotion,
        votes=tuple(_vote(given, promotion, case.now, signers) for given in case.votes),
        questions=tuple(
            Question(
                gate=gate,
                services=GivenServices(loaded.attachments, standings, freezes),
                opened_at=opened_at,
                moments=(case.now,),
                instead=_instead(gate, case),
            )
            for gate in gates
        ),
    )


def _instead(gate: Gate, case: PolicyCase) -> Finding | None:
    answer = case.answers.get(gate.name)
    if answer is not None:
        return Finding(
            name=gate.name,
            type=gate.type,
            outcome=_ANSWERED[answer.verdict],
            reason=answer.reason or f"is taken to {answer.verdict}",
            until=answer.until,
            basis=Basis.GIVEN,
        )
    if gate.type in FROM_RECORD:
        return None
    return Finding(
        name=gate.name,
        type=gate.type,
        outcome=Outcome.UNKNOWN,
        reason="calls out; say what it answers in `answers`",
        basis=Basis.NONE,
    )


def _standing(name: str, given: GivenStanding, now: datetime) -> Standing:
    at = given.succeeded_at or now - (given.soaked or timedelta(0))
    before = identity.promotion_id(f"policy-test/{name}", "policy-test")
    return Standing(
        environment=name,
        promotion_id=before,
        succeeded_at=at,
        steps=tuple(
            StepResult(
                node_id=step.node,
                type=step.type,
                run_id=identity.step_run_id(before, step.node),
                status=step.status,
                started_at=at,
                ended_at=at,
            )
            for step in given.steps
        ),
        is_current=given.is_current,
        replaced_at=given.replaced_at or (None if given.is_current else now),
        failed_since=before if given.has_failed_since else None,
    )


def _freeze(
    given: GivenFreeze, number: int, opened_at: datetime, environment: Environment
) -> Freeze:
    # One that nothing is said about was there before the promotion was requested.
    start = given.start or min(opened_at, given.end or opened_at) - _A_WHILE
    return Freeze(
        id=identity.promotion_id(f"policy-test/freeze/{number}", "policy-test"),
        tenant_id=environment.tenant_id,
        name=given.name,
        reason=given.reason,
        stops_the_line=given.stops_the_line,
        start=start,
        end=given.end,
        created_by=given.created_by,
        created_at=start,
    )


def _stand_ins(votes: Iterable[GivenVote], environment: Environment) -> dict[str, ApproverSigner]:
    """A fresh key for each person who signs and has one registered, by name."""
    users = {vote.user for vote in votes if vote.signed and vote.user in environment.keys}
    with tempfile.TemporaryDirectory(prefix="promote-") as directory:
        return {
            user: make_key(Path(directory) / f"{number}.pem", KeyKind.ED25519)
            for number, user in enumerate(sorted(users))
        }


def _with_stand_ins(environment: Environment, signers: Mapping[str, ApproverSigner]) -> Environment:
    keys = {
        user: tuple(
            ApproverKey(public_key=signers[user].public_pem, until=key.until)
            if user in signers
            else key
            for key in registered
        )
        for user, registered in environment.keys.items()
    }
    return environment.model_copy(update={"keys": keys})


def _vote(
    given: GivenVote,
    promotion: PromotionSnapshot,
    now: datetime,
    signers: Mapping[str, ApproverSigner],
) -> Vote:
    at = given.at or now
    vote = Vote(
        user=given.user,
        decision=given.decision,
        comment=given.comment,
        binding=promotion.binding,
        at=at,
        on_behalf_of=given.on_behalf_of,
    )
    if not given.signed or given.user not in signers:
        return vote
    statement = statement_of(
        promotion,
        Word(given.decision.value),
        given.user,
        comment=given.comment,
        on_behalf_of=given.on_behalf_of,
        signed_at=at,
    )
    return vote.model_copy(update={"envelope": sign(statement, signers[given.user])})
