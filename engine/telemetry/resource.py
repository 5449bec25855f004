"""What the spans come from: the resource attributes of the tracing specification."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.sdk.resources import Resource

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


def resource(environ: Mapping[str, str] | None = None) -> Resource:
    """The resource of this process.

    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over ours; ENVIRONMENT says where the
    process runs (default `development`).
    """
    source = os.environ if environ is None else environ
    where = source.get("ENVIRONMENT", "").strip() or "development"
    ours = Resource(
        {
            "service.name": DEFAULT_SERVICE_NAME,
            "service.namespace": SERVICE_NAMESPACE,
            "service.version": service_version(),
            **dict.fromkeys(_ENVIRONMENT_KEYS, where),
        }
    )
    given = dict(Resource.create({}).attributes)
    named = "OTEL_SERVICE_NAME" in source or "service.name" in source.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    if not named:
        # The SDK's own default, `unknown_service`.
        given.pop("service.name", None)
    for key, other in (_ENVIRONMENT_KEYS, _ENVIRONMENT_KEYS[::-1]):
        if key in given:
            given.setdefault(other, given[key])
    return ours.merge(Resource(given))
