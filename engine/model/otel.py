"""The file `otel-config.yaml`, with the keys of the tracing specification."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from engine.model.base import Document, Duration

Text = Annotated[str, Field(min_length=1)]


class Service(Document):
    """What the spans come from."""

    name: Text | None = None
    version: Text | None = None


class OtlpExporter(Document):
    """Where spans go.

    Attributes:
        endpoint: `host:port`, or a URL; without a scheme the connection is not encrypted.
    """

    endpoint: Text
    protocol: Literal["grpc", "http/protobuf"] = "grpc"


class Exporters(Document):
    """The exporters; OTLP is the one there is."""

    otlp: OtlpExporter | None = None


class Batch(Document):
    """How spans are put together: a batch leaves when it is full or its time is over."""

    timeout: Annotated[Duration, Field(gt=timedelta())] = timedelta(seconds=10)
    send_batch_size: Annotated[int, Field(ge=1)] = 1024


class Processors(Document):
    """The processors; batching is the one there is."""

    batch: Batch = Batch()


class ResourceAttribute(Document):
    """One attribute of the resource."""

    key: Text
    value: Text


class Resource(Document):
    """What else is said of where the spans come from."""

    attributes: tuple[ResourceAttribute, ...] = ()


class OtelFile(Document):
    """The whole file."""

    service: Service = Service()
    exporters: Exporters = Exporters()
    processors: Processors = Processors()
    resource: Resource = Resource()
