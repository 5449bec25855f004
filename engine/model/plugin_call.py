"""A call of a plugin, as whoever made it tells it."""

from __future__ import annotations

from engine.model.base import Timestamp, Value
from engine.model.failure import Failure


class PluginCall(Value):
    """One call, which becomes a span of its own below the work that made it.

    Attributes:
        plugin: the plugin's id.
        method: of the plugin protocol, e.g. `gate.evaluate`.
        offer: the name of the gate, step, notifier, resolver or driver; empty for `describe`.
        identity: the domain key of the call, unique within the promotion.
        started_at, ended_at: the caller's clock; the last sign of life of a caller that died.
        failure: present exactly when the plugin gave no usable answer.
    """

    plugin: str
    method: str
    offer: str = ""
    identity: str
    started_at: Timestamp
    ended_at: Timestamp
    failure: Failure | None = None
