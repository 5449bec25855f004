"""The search attributes by which promotions are found; all of type Keyword."""

from __future__ import annotations

PROMOTION_ID = "PromotionId"
PROMOTION_STATUS = "PromotionStatus"
PROMOTION_DECISION = "PromotionDecision"
RELEASE_ID = "ReleaseId"
RELEASE_VERSION = "ReleaseVersion"
ENVIRONMENT_NAME = "EnvironmentName"
TENANT_ID = "TenantId"
TRACE_ID = "TraceId"

SEARCH_ATTRIBUTES: tuple[str, ...] = (
    PROMOTION_ID,
    PROMOTION_STATUS,
    PROMOTION_DECISION,
    RELEASE_ID,
    RELEASE_VERSION,
    ENVIRONMENT_NAME,
    TENANT_ID,
    TRACE_ID,
)
