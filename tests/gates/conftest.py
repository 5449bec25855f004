"""What the tests of gates that call out share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.answering import Answering, answering


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        yield running
