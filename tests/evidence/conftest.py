from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.evidence.envelope import sign_statement
from engine.evidence.keys import SigningKey
from engine.evidence.statement import build_statement
from tests.evidence.samples import allowed


@dataclass(frozen=True)
class Signed:
    key: SigningKey
    statement: bytes
    envelope: bytes

    @property
    def public(self) -> bytes:
        return self.key.public_pem()


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.load_or_create(tmp_path_factory.mktemp("evidence") / "keys" / "signing.pem")


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.load_or_create(tmp_path_factory.mktemp("evidence") / "keys" / "other.pem")


@pytest.fixture(scope="session")
def signed(key: SigningKey) -> Signed:
    statement = build_statement(allowed())
    return Signed(key=key, statement=statement, envelope=sign_statement(statement, key))
