"""Promotions as the workflow would describe them when it asks for evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    CryptoSigner,
)

from engine.approvals.keys import ApproverSigner
from engine.approvals.sign import sign
from engine.approvals.statement import Word, statement_of
from engine.model import identity
from engine.model.agent_task import RunningVersion, TaskResult, TaskStatus, TaskType
from engine.model.approval import Vote, VoteDecision
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.deployment import DeploymentResult, JobStatus
from engine.model.environment import ApproverKey, Delegation, Environment, Gate
from engine.model.evidence import EvidenceInput
from engine.model.execution import StepResult, StepStatus
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.release import Attachment, AttachmentFormat, Component, Release
from engine.model.strategy import Rolling
from engine.model.template import Node, Template
from engine.model.verdict import Decision, GateOutcome, GateResult, Override

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PROMOTION = UUID("0b0c8e3e-7a63-4a55-9a0f-0c5f7d6f1c11")
TENANT = identity.tenant_id("acme")
ENVIRONMENT = identity.environment_id(TENANT, "production")
SCAN = digest_of_bytes(b"scan report")
WEB = Component(
    name="web",
    artifact="https://downloads.example/web-2.0.0.tar.gz",
    digest=digest_of_bytes(b"web 2.0.0"),
    attachments=(
        Attachment(name="scan.json", format=AttachmentFormat.TRIVY_JSON, digest=SCAN, size=11),
    ),
)
API = Component(
    name="api",
    artifact="https://downloads.example/api-2.0.0.tar.gz",
    digest=digest_of_bytes(b"api 2.0.0"),
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def snapshot(reason: str = "spring release") -> PromotionSnapshot:
    return PromotionSnapshot(
        promotion_id=PROMOTION,
        workflow_id=f"promotion/{PROMOTION}",
        tenant="acme",
        tenant_id=TENANT,
        release=Release(
            id=identity.release_id(TENANT, "shop", "2.0.0"),
            tenant_id=TENANT,
            name="shop",
            version="2.0.0",
            components=(WEB, API),
        ),
        environment=Environment(
            id=ENVIRONMENT,
            tenant_id=TENANT,
            name="production",
            order=2,
            groups={"release-managers": ("bob", "carol")},
            gates=(
                Gate(type="security", name="scan", config={"max_critical": 0}),
                Gate(type="approval", name="sign-off", config={"group": "release-managers"}),
            ),
            template=Template(name="standard", nodes=(Node(id="deploy", type="deploy"),)),
            strategy=Rolling(batch_size=1),
        ),
        target_count=1,
        requested_by="alice",
        user_id=identity.user_id(TENANT, "alice"),
        reason=reason,
        requested_at=START,
    )


def allowed(comment: str = "looks good", reason: str = "spring release") -> EvidenceInput:
    """A promotion that was approved and deployed to one target."""
    promotion = snapshot(reason)
    step_run = identity.step_run_id(PROMOTION, "deploy")
    job = identity.job_id(PROMOTION, "deploy")
    target = identity.target_id(ENVIRONMENT, "web-1")
    old = RunningVersion(release="shop@1.9.0", component="web", digest=digest_of_bytes(b"web 1.9"))
    new = RunningVersion(release="shop@2.0.0", component="web", digest=WEB.digest)
    tasks = tuple(
        TaskResult(
            task_id=identity.task_id(job, target, "web", kind),
            type=kind,
            target="web-1",
            target_id=target,
            agent="host-1",
            agent_id=identity.agent_id(TENANT, "host-1"),
            component="web",
            status=TaskStatus.SUCCEEDED,
            changed=kind is TaskType.DEPLOY,
            before=old if kind is TaskType.DEPLOY else None,
            after=new if kind is TaskType.DEPLOY else None,
            started_at=after(70 + number),
            ended_at=after(70.25 + number),
        )
        for number, kind in enumerate(TaskType)
    )
    return EvidenceInput(
        promotion=promotion,
        status=PromotionStatus.SUCCEEDED,
        decision=Decision.ALLOW,
        gates=(
            GateResult(
                name="scan",
                type="security",
                outcome=GateOutcome.PASSED,
                reason="no critical vulnerabilities",
                attributes={"vulnerabilities.critical": 0, "vulnerabilities.high": 2},
                inputs={"web/scan.json": SCAN},
                started_at=after(0),
                ended_at=after(1),
            ),
            GateResult(
                name="sign-off",
                type="approval",
                outcome=GateOutcome.PASSED,
                reason="1 of 1 approvals: bob",
                attributes={"approval.wait_seconds": 59.5, "approval.received": 1},
                started_at=after(0),
                ended_at=after(60),
            ),
        ),
        votes=(
            Vote(
                user="carol",
                decision=VoteDecision.APPROVE,
                binding=digest_of_bytes(b"another release"),
                at=after(30),
            ),
            Vote(
                user="bob",
                decision=VoteDecision.APPROVE,
                comment=comment,
                binding=promotion.binding,
                at=after(59.5),
            ),
        ),
        steps=(
            StepResult(
                node_id="deploy",
                type="deploy",
                run_id=step_run,
                status=StepStatus.SUCCEEDED,
                detail="1 of 1 targets",
                inputs={"token": "hunter2"},
                started_at=after(65),
                ended_at=after(80),
            ),
        ),
        deployments=(
            DeploymentResult(
                job_id=job,
                node_id="deploy",
                strategy="rolling",
                status=JobStatus.SUCCEEDED,
                target_count=1,
                batch_size=1,
                tasks=tasks,
                started_at=after(66),
                ended_at=after(79),
            ),
        ),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        workflow_id=f"promotion/{PROMOTION}",
        run_id="019cadc0-5a2e-7c4b-8a53-0d1f6a1a2b3c",
        started_at=after(0.125),
        finished_at=after(81),
    )


def denied() -> EvidenceInput:
    """A promotion whose security gate broke, so that nothing was carried out."""
    failure = Failure(
        type="GateError",
        message="scan.json is not a Trivy report",
        stacktrace='File "gates/security.py", line 12',
    )
    return allowed().model_copy(
        update={
            "status": PromotionStatus.DENIED,
            "decision": Decision.DENY,
            "gates": (
                GateResult(
                    name="scan",
                    type="security",
                    outcome=GateOutcome.FAILED,
                    reason="the scan report cannot be read",
                    error=failure,
                    started_at=after(0),
                    ended_at=after(1),
                ),
                GateResult(
                    name="sign-off",
                    type="approval",
                    outcome=GateOutcome.FAILED,
                    reason="rejected by bob",
                    rejected_by="bob",
                    started_at=after(0),
                    ended_at=after(2),
                ),
            ),
            "votes": (),
            "steps": (),
            "deployments": (),
            "failure": failure,
        }
    )


def approver(person: str) -> ApproverSigner:
    """A person's key, the same each time, of a kind whose signatures are the same each time."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(person.encode().ljust(32, b"."))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ApproverSigner(CryptoSigner(key), public.decode())


def signed() -> EvidenceInput:
    """A promotion with signed votes, one of them withdrawn and one by delegation, and an override.

    The last gate keeps what it learnt.
    """
    plain = allowed()
    environment = plain.promotion.environment.model_copy(
        update={
            "gates": (
                Gate(
                    type="approval",
                    name="sign-off",
                    config={"groups": ["release-managers"], "required": 2, "signed": True},
                ),
                Gate(type="freeze_window", name="weekend"),
                Gate(type="http", name="change-board"),
            ),
            "keys": {
                person: (ApproverKey(public_key=approver(person).public_pem),)
                for person in ("bob", "dave")
            },
            "delegations": (Delegation(giver="carol", to="dave", until=after(3600)),),
        }
    )
    promotion = plain.promotion.model_copy(update={"environment": environment})

    def word(
        said: str, user: str, seconds: float, comment: str = "", on_behalf_of: str | None = None
    ) -> dict[str, Json]:
        statement = statement_of(
            promotion,
            Word(said),
            user,
            comment=comment,
            on_behalf_of=on_behalf_of,
            signed_at=after(seconds),
        )
        return sign(statement, approver(user))

    def vote(user: str, seconds: float, comment: str, on_behalf_of: str | None = None) -> Vote:
        return Vote(
            user=user,
            decision=VoteDecision.APPROVE,
            comment=comment,
            binding=promotion.binding,
            at=after(seconds),
            on_behalf_of=on_behalf_of,
            envelope=word("approve", user, seconds - 1, comment, on_behalf_of),
        )

    withdrawn = vote("bob", 10, "looks good").model_copy(
        update={
            "withdrawn_at": after(20),
            "withdrawal_reason": "too early",
            "withdrawal_envelope": word("withdraw", "bob", 19, "too early"),
        }
    )
    return plain.model_copy(
        update={
            "promotion": promotion,
            "votes": (withdrawn, vote("bob", 30, "now it does"), vote("dave", 40, "", "carol")),
            "gates": (
                GateResult(
                    name="sign-off",
                    type="approval",
                    outcome=GateOutcome.PASSED,
                    reason="approved by bob and dave for carol",
                    attributes={"approval.required": 2, "approval.received": 2},
                    started_at=after(0),
                    ended_at=after(40),
                ),
                GateResult(
                    name="weekend",
                    type="freeze_window",
                    outcome=GateOutcome.OVERRIDDEN,
                    reason="overridden by erin: outage",
                    overridden=Override(gate="weekend", user="erin", reason="outage", at=after(35)),
                    started_at=after(0),
                    ended_at=after(36),
                ),
                GateResult(
                    name="change-board",
                    type="http",
                    outcome=GateOutcome.PASSED,
                    reason="the change board has agreed",
                    evidence={"answer": {"ticket": "CHG-17", "until": None}, "status": 200},
                    started_at=after(0),
                    ended_at=after(2),
                ),
            ),
        }
    )
