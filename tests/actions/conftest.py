"""What the tests of calls share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.errors import InputError
from tests.harness.answering import Answering, answering

SECRETS = {"env:TOKEN": "t0p-s3cret-value", "env:MULTI": "two\nlines", "env:NUL": "a\0b"}


async def resolve(reference: str) -> str:
    if reference not in SECRETS:
        raise InputError(reference, "the variable is not set")
    return SECRETS[reference]


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        yield running
