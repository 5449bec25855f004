from __future__ import annotations

from typing import ClassVar

import pytest

from engine.errors import GateError
from engine.gates import registry
from engine.gates.asking import ask
from engine.gates.protocol import GateContext, GateServices
from engine.model.base import Document, Json
from engine.model.canonical import canonical_json, digest_of_bytes
from engine.model.verdict import MAX_EVIDENCE_BYTES, Allow, Verdict
from tests.gates.builders import Services, context


class Telling:
    config: ClassVar[type[Document]] = Document
    type: ClassVar[str] = "telling"
    holds_for_rollbacks: ClassVar[bool] = True

    def __init__(self, evidence: dict[str, Json]) -> None:
        self._evidence = evidence

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        return Allow(reason="fine", evidence=self._evidence)


async def told(monkeypatch: pytest.MonkeyPatch, evidence: dict[str, Json]) -> dict[str, Json]:
    monkeypatch.setattr(registry, "get", lambda _: Telling(evidence))
    return (await ask(context("security", {}), Services())).evidence


async def test_evidence_up_to_the_limit_is_kept_and_beyond_it_told_by_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits: dict[str, Json] = {"x": "x" * (MAX_EVIDENCE_BYTES - len('{"x":""}'))}
    assert await told(monkeypatch, fits) == fits
    larger: dict[str, Json] = {"x": f"{fits['x']}x"}
    assert await told(monkeypatch, larger) == {
        "omitted": {
            "bytes": MAX_EVIDENCE_BYTES + 1,
            "digest": digest_of_bytes(canonical_json(larger)),
        }
    }


async def test_evidence_that_no_statement_can_hold_breaks_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(GateError, match="cannot be put on record"):
        await told(monkeypatch, {"count": 2**60})
