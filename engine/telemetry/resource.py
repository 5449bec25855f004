"""What the spans come from: the resource attributes of the tracing specification."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.sdk.resources import Resource

DISTRIBUTION = "promotion-engine"
DEFAULT_SERVICE_NAME = "stella-release-orchestrator"
SERVICE_NAMESPACE = "stella-ops"


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
            # The specification's key, and the one that replaced it in the semantic conventions.
            "deployment.environment": where,
            "deployment.environment.name": where,
        }
    )
    given = Resource.create({})
    named = "OTEL_SERVICE_NAME" in source or "service.name" in source.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    given_attributes = {
        key: value for key, value in given.attributes.items() if named or key != "service.name"
    }
    return ours.merge(Resource(given_attributes))
