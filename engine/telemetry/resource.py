"""What the spans come from: the resource attributes of the tracing specification."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

DISTRIBUTION = "promotion-engine"
DEFAULT_SERVICE_NAME = "stella-release-orchestrator"
SERVICE_NAMESPACE = "stella-ops"

# The specification's key, and the one that replaced it in the semantic conventions.
_ENVIRONMENT_KEYS = ("deployment.environment", "deployment.environment.name")


def service_version() -> str:
    """The installed distribution's version."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


def resource() -> Resource:
    """The resource of this process.

    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over ours; ENVIRONMENT says where the
    process runs (default `development`). An empty variable is the same as none.
    """
    where = os.environ.get("ENVIRONMENT", "").strip() or "development"
    ours = Resource(
        {
            "service.name": DEFAULT_SERVICE_NAME,
            "service.namespace": SERVICE_NAMESPACE,
            "service.version": service_version(),
            **dict.fromkeys(_ENVIRONMENT_KEYS, where),
        }
    )
    given = dict(Resource.create({}).attributes)
    if not OTELResourceDetector().detect().attributes.get("service.name"):
        # The SDK's own default, `unknown_service`.
        given.pop("service.name", None)
    for key, other in (_ENVIRONMENT_KEYS, _ENVIRONMENT_KEYS[::-1]):
        if key in given:
            given.setdefault(other, given[key])
    return ours.merge(Resource(given))
