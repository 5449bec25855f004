"""Asking the gate `security` about components whose reports are those in `reports/files/`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engine.gates.security import SecurityGate
from engine.model.base import Json
from engine.model.release import Component
from engine.model.verdict import Verdict
from tests.gates.builders import Services, component, context, promotion
from tests.gates.reports.samples import FILES, attached

MADE = datetime(2026, 11, 24, 18, tzinfo=UTC)
"""Shortly after the reports in `files/` were made."""

ANY: dict[str, Json] = {"max_critical": None}


async def evaluate(
    config: dict[str, Json],
    *components: Component,
    now: datetime = MADE,
    data: tuple[bytes, ...] = (),
) -> Verdict:
    files = [path.read_bytes() for path in FILES.iterdir()]
    asked = context("security", config, snapshot=promotion(components=components), now=now)
    return await SecurityGate().evaluate(asked, Services(*files, *data))


def file(*names: str) -> Component:
    """A component that is a file, which no scanner names by digest."""
    return component("web", *(attached(name) for name in names))


def ignored(**changes: Any) -> dict[str, Json]:
    entry: dict[str, Json] = {
        "id": "CVE-2024-42005",
        "reason": "not reachable",
        "expires": "2026-11-24",
    }
    return {"ignore": [{**entry, **changes}]}


LIMITS: dict[str, Json] = {"max_critical": 3, "max_high": 3, "max_medium": 11, "max_low": 2}
