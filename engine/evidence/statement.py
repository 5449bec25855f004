"""The in-toto Statement about a promotion.

Specification: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, ValidationError

from engine.approvals.statement import Word
from engine.approvals.verify import verify
from engine.dsse.records import STATEMENT_TYPE, DigestSet, Record
from engine.dsse.strict_json import main_problem, read_model, read_object, shown
from engine.errors import EvidenceError
from engine.evidence.predicate import (
    PREDICATE_TYPE,
    ApprovalRecord,
    DeploymentRecord,
    EnvironmentRecord,
    FailureRecord,
    GateRecord,
    OverrideRecord,
    PromotionPredicate,
    PromotionRecord,
    ReleaseRecord,
    ResourceDescriptor,
    RunningRecord,
    SignatureRecord,
    StepRecord,
    TaskRecord,
    TemplateRecord,
    TenantRecord,
    WithdrawalRecord,
    WorkflowRecord,
)
from engine.model.agent_task import RunningVersion, TaskResult
from engine.model.approval import Vote
from engine.model.base import Json
from engine.model.canonical import canonical_json, digest_of
from engine.model.deployment import DeploymentResult
from engine.model.evidence import EvidenceInput
from engine.model.execution import StepResult
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import GateResult, Override


class Statement(Record):
    """An in-toto Statement v1 with our predicate."""

    statement_type: Literal["https://in-toto.io/Statement/v1"] = Field(
        default="https://in-toto.io/Statement/v1", alias="_type"
    )
    subject: tuple[ResourceDescriptor, ...] = Field(min_length=1)
    predicate_type: Literal["https://promotion-engine.dev/attestations/promotion/v0.1"] = (
        "https://promotion-engine.dev/attestations/promotion/v0.1"
    )
    predicate: PromotionPredicate


def build_statement(evidence: EvidenceInput) -> bytes:
    """The statement about a promotion, as RFC 8785 canonical JSON.

    Equal input gives equal bytes, on every machine and at every time. Subjects are the release's
    components, in the release's order.

    Raises:
        EvidenceError: the input holds a value that has no canonical JSON form, e.g. an integer
            beyond 2**53; the message says which.
    """
    try:
        statement = Statement(
            subject=tuple(
                ResourceDescriptor(name=component.name, digest=DigestSet.of(component.digest))
                for component in evidence.promotion.release.components
            ),
            predicate=_predicate(evidence),
        )
        return canonical_json(statement.model_dump(mode="json", by_alias=True, exclude_none=True))
    except ValidationError as error:
        raise EvidenceError(f"no statement can be made: {main_problem(error)}") from error
    except ValueError as error:
        raise EvidenceError(f"no statement can be made: {error}") from error


def parse_statement(data: bytes) -> Statement:
    """The statement that `data` holds.

    Raises:
        EvidenceError: `data` is not an in-toto Statement v1 with our predicate; the message names
            the field that is wrong.
    """
    document = read_object(data, "the payload")
    if document.get("_type") != STATEMENT_TYPE:
        raise EvidenceError(
            "the payload is not an in-toto Statement v1: "
            f"its _type is {shown(document.get('_type'))}, not {STATEMENT_TYPE!r}"
        )
    if document.get("predicateType") != PREDICATE_TYPE:
        raise EvidenceError(
            "the statement is not about a promotion: its predicateType is "
            f"{shown(document.get('predicateType'))}, not {PREDICATE_TYPE!r}"
        )
    return read_model(Statement, data, "the statement is malformed")


def _predicate(evidence: EvidenceInput) -> PromotionPredicate:
    snapshot = evidence.promotion
    environment = snapshot.environment
    return PromotionPredicate(
        promotion=PromotionRecord(
            id=snapshot.promotion_id,
            status=evidence.status,
            decision=evidence.decision,
            reason=snapshot.reason,
            requested_by=snapshot.requested_by,
            requested_at=snapshot.requested_at,
            started_at=evidence.started_at,
            finished_at=evidence.finished_at,
            binding=DigestSet.of(snapshot.binding),
            retry_of=None if snapshot.retry is None else snapshot.retry.promotion,
        ),
        release=ReleaseRecord(
            id=snapshot.release.id,
            name=snapshot.release.name,
            version=snapshot.release.version,
            digest=DigestSet.of(snapshot.release.digest),
        ),
        tenant=TenantRecord(id=snapshot.tenant_id, name=snapshot.tenant),
        environment=EnvironmentRecord(
            id=environment.id,
            name=environment.name,
            policy_digest=DigestSet.of(environment.policy_digest),
        ),
        template=TemplateRecord(
            name=environment.template.name,
            version=environment.template.version,
            digest=DigestSet.of(environment.template.digest),
        ),
        gates=tuple(_gate(gate) for gate in evidence.gates),
        approvals=tuple(_approval(vote, snapshot) for vote in evidence.votes),
        steps=tuple(_step(step) for step in evidence.steps),
        deployments=tuple(_deployment(deployment) for deployment in evidence.deployments),
        failure=_failure(evidence.failure),
        trace_id=evidence.trace_id,
        workflow=WorkflowRecord(id=evidence.workflow_id, run_id=evidence.run_id),
        supersedes=None if evidence.supersedes is None else DigestSet(sha256=evidence.supersedes),
    )


def _gate(gate: GateResult) -> GateRecord:
    return GateRecord(
        name=gate.name,
        type=gate.type,
        outcome=gate.outcome,
        reason=gate.reason,
        inputs=tuple(
            ResourceDescriptor(name=name, digest=DigestSet.of(digest))
            for name, digest in sorted(gate.inputs.items())
        ),
        attributes=gate.attributes,
        evidence=gate.evidence or None,
        overridden=_override(gate.overridden),
        rejected_by=gate.rejected_by,
        started_at=gate.started_at,
        ended_at=gate.ended_at,
        error=_failure(gate.error),
    )


def _override(override: Override | None) -> OverrideRecord | None:
    if override is None:
        return None
    return OverrideRecord(user=override.user, reason=override.reason, at=override.at)


def _approval(vote: Vote, promotion: PromotionSnapshot) -> ApprovalRecord:
    word = Word(vote.decision.value)
    return ApprovalRecord(
        user=vote.user,
        decision=vote.decision,
        comment=vote.comment,
        at=vote.at,
        binding=DigestSet.of(vote.binding),
        counts=vote.binding == promotion.binding and vote.withdrawn_at is None,
        on_behalf_of=vote.on_behalf_of,
        signature=_signature(vote.envelope, promotion, word, vote, vote.at),
        withdrawal=_withdrawal(vote, promotion),
    )


def _withdrawal(vote: Vote, promotion: PromotionSnapshot) -> WithdrawalRecord | None:
    if vote.withdrawn_at is None:
        return None
    envelope, at = vote.withdrawal_envelope, vote.withdrawn_at
    return WithdrawalRecord(
        at=at,
        reason=vote.withdrawal_reason,
        signature=_signature(envelope, promotion, Word.WITHDRAW, vote, at),
    )


def _signature(
    envelope: dict[str, Json] | None,
    promotion: PromotionSnapshot,
    word: Word,
    vote: Vote,
    at: datetime,
) -> SignatureRecord | None:
    if envelope is None:
        return None
    try:
        signed = verify(envelope, promotion, word, vote.user, at, on_behalf_of=vote.on_behalf_of)
    except EvidenceError:
        # On record all the same, as what was given and did not count.
        return SignatureRecord(envelope=envelope)
    return SignatureRecord(envelope=envelope, key_id=signed.key_id, public_key=signed.public_key)


def _step(step: StepResult) -> StepRecord:
    return StepRecord(
        node_id=step.node_id,
        type=step.type,
        run_id=step.run_id,
        status=step.status,
        detail=step.detail,
        inputs_digest=DigestSet.of(digest_of(step.inputs)),
        outputs_digest=DigestSet.of(digest_of(step.outputs)) if step.outputs else None,
        attempt=step.attempt if step.attempt > 1 else None,
        compensates=step.compensates,
        taken_over_from=step.taken_over_from,
        failure=_failure(step.failure),
        started_at=step.started_at,
        ended_at=step.ended_at,
    )


def _deployment(deployment: DeploymentResult) -> DeploymentRecord:
    return DeploymentRecord(
        job_id=deployment.job_id,
        node_id=deployment.node_id,
        strategy=deployment.strategy,
        status=deployment.status,
        target_count=deployment.target_count,
        batch_size=deployment.batch_size,
        tasks=tuple(_task(task) for task in deployment.tasks),
        failure=_failure(deployment.failure),
        started_at=deployment.started_at,
        ended_at=deployment.ended_at,
    )


def _task(task: TaskResult) -> TaskRecord:
    return TaskRecord(
        id=task.task_id,
        type=task.type,
        target=task.target,
        target_id=task.target_id,
        agent=task.agent,
        agent_id=task.agent_id,
        component=task.component,
        status=task.status,
        attempt=task.attempt,
        changed=task.changed,
        before=_running(task.before),
        after=_running(task.after),
        failure=_failure(task.failure),
        started_at=task.started_at,
        ended_at=task.ended_at,
    )


def _running(version: RunningVersion | None) -> RunningRecord | None:
    if version is None:
        return None
    return RunningRecord(
        release=version.release,
        component=version.component,
        digest=DigestSet.of(version.digest),
    )


def _failure(failure: Failure | None) -> FailureRecord | None:
    # The stack trace stays behind: it tells a third party nothing and may show paths and values.
    return None if failure is None else FailureRecord(type=failure.type, message=failure.message)
