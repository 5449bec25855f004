"""The Python face of the engine: `PromotionClient` over a `temporalio.client.Client`."""

from engine.client.client import PromotionClient
from engine.client.summary import PromotionSummary

__all__ = ["PromotionClient", "PromotionSummary"]
