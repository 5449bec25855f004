from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.embedded import ports


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[int]:
    with socket.socket() as server:
        server.bind((host, 0))
        server.listen()
        yield int(server.getsockname()[1])


def test_the_preferred_port_is_taken_when_it_is_free() -> None:
    with listening() as number:
        pass

    port = ports.choose(number)

    assert (port.number, port.is_standard) == (number, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_another_free_port_is_chosen_when_it_is_taken(host: str) -> None:
    with listening(host) as number:
        port = ports.choose(number)

        assert port.number != number
        assert (port.preferred, port.is_standard) == (number, False)
        assert ports.is_free(port.number)
        assert not ports.is_free(number)


def test_a_port_to_avoid_is_not_chosen() -> None:
    with listening() as number:
        pass

    assert ports.choose(number, avoid=(number,)).number != number


def test_a_port_with_connections_that_still_time_out_is_free() -> None:
    with listening() as number, socket.create_connection(("127.0.0.1", number)):
        pass

    assert ports.is_free(number)
