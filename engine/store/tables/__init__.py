"""The tables, one module an aggregate. Importing this package completes `Base.metadata`."""

from engine.store.tables.environments import (
    AgentRecord,
    EnvironmentRecord,
    EnvironmentRevisionRecord,
    TargetRecord,
)
from engine.store.tables.evidence import EnvelopeRecord, EvidenceRecord
from engine.store.tables.executions import (
    AgentTaskRecord,
    DeploymentJobRecord,
    StepRunRecord,
    WorkflowRunRecord,
)
from engine.store.tables.freezes import FreezeRecord
from engine.store.tables.holds import HoldRecord
from engine.store.tables.promotions import ApprovalRecord, GateResultRecord, PromotionRecord
from engine.store.tables.receipts import SpanReceiptRecord
from engine.store.tables.releases import (
    AttachmentRecord,
    ComponentAttachmentRecord,
    ComponentRecord,
    ReleaseRecord,
)
from engine.store.tables.templates import TemplateRecord
from engine.store.tables.tenants import TenantRecord
from engine.store.tables.traces import TracedRunRecord, UnsettledTraceRecord

__all__ = [
    "AgentRecord",
    "AgentTaskRecord",
    "ApprovalRecord",
    "AttachmentRecord",
    "ComponentAttachmentRecord",
    "ComponentRecord",
    "DeploymentJobRecord",
    "EnvelopeRecord",
    "EnvironmentRecord",
    "EnvironmentRevisionRecord",
    "EvidenceRecord",
    "FreezeRecord",
    "GateResultRecord",
    "HoldRecord",
    "PromotionRecord",
    "ReleaseRecord",
    "SpanReceiptRecord",
    "StepRunRecord",
    "TargetRecord",
    "TemplateRecord",
    "TenantRecord",
    "TracedRunRecord",
    "UnsettledTraceRecord",
    "WorkflowRunRecord",
]
