"""Choosing a port: the one that everybody expects, or a free one when that is taken."""

from __future__ import annotations

import socket
from collections.abc import Collection
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Port:
    """A port of the loopback interface that was free a moment ago.

    Attributes:
        preferred: the standard port, which was taken if it differs from `number`.
    """

    number: int
    preferred: int

    @property
    def is_standard(self) -> bool:
        """Whether this is the standard port."""
        return self.number == self.preferred


def choose(preferred: int, avoid: Collection[int] = ()) -> Port:
    """`preferred` if nobody listens there, else any free port that is not in `avoid`."""
    if preferred not in avoid and is_free(preferred):
        return Port(preferred, preferred)
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((HOST, 0))
            number = int(probe.getsockname()[1])
        if number not in avoid:
            return Port(number, preferred)


def is_free(number: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port is free although connections to its last server still time out.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
            probe.listen(1)
        except OSError:
            return False
    return True
