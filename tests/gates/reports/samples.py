"""The reports in `files/`, and reports made from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.gates.reports import cyclonedx, grype, sarif, trivy
from engine.gates.reports.finding import Report
from engine.model.release import Attachment, Component
from tests.gates.builders import attachment

FILES = Path(__file__).parent / "files"
NAMES = tuple(sorted(path.name for path in FILES.iterdir()))

IMAGE = "sha256:1df3df53fc676565dcea97e9a879748078af5eac7587783edea8202085ce4d6a"
CLEAN_IMAGE = "sha256:a279e89101c44bf3c13bec77266ded0dcf50666116eb5a0d944711e3785fc2b2"

_PARSERS: dict[str, Callable[[bytes], Report]] = {
    "trivy-json": trivy.parse,
    "grype-json": grype.parse,
    "sarif": sarif.parse,
    "cyclonedx-json": cyclonedx.parse,
}


def format_of(name: str) -> str:
    if name.endswith(".sarif"):
        return "sarif"
    if name.endswith(".cdx.json"):
        return "cyclonedx-json"
    return "grype-json" if ".grype." in name else "trivy-json"


def read(name: str) -> bytes:
    return (FILES / name).read_bytes()


def loaded(name: str) -> Any:
    return json.loads(read(name))


def parse(name: str, data: bytes | None = None) -> Report:
    return _PARSERS[format_of(name)](read(name) if data is None else data)


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


def attached(name: str) -> Attachment:
    return attachment(name, read(name), format_of(name))


def image(*names: str, digest: str = IMAGE, more: tuple[Attachment, ...] = ()) -> Component:
    """An image component with reports attached."""
    return Component(
        name="web",
        artifact=f"oci://localhost:5000/web@{digest}",
        digest=digest,
        attachments=(*(attached(name) for name in names), *more),
    )
