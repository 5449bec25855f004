"""Requests and waiting, as the tests of the client need them."""

from __future__ import annotations

from engine.model.promotion import PromotionRequest
from tests.harness.system import System


def request(system: System, release: str, environment: str) -> PromotionRequest:
    return PromotionRequest(
        release=release, environment=environment, tenant=system.tenant, requested_by="alice"
    )
