"""What is taken note of while plugins are called, so that each call becomes a span."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from engine.plugins.protocol import Method


class Calls(Protocol):
    """Takes note of the calls that one piece of work makes."""

    def calling(self, plugin: str, method: Method, offer: str) -> AbstractContextManager[None]:
        """Around one call: within the block its span is the current one.

        An exception that leaves the block is the call's failure.
        """
        ...

    def heartbeat(self) -> None:
        """Called every few seconds of a call."""
        ...


class Unrecorded:
    """Calls outside of any promotion, of which nobody takes note."""

    def calling(self, plugin: str, method: Method, offer: str) -> AbstractContextManager[None]:
        """See the protocol."""
        return nullcontext()

    def heartbeat(self) -> None:
        """See the protocol."""
