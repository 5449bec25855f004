from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.evidence.conftest import Signed

GUIDE = Path(__file__).parents[2] / "docs" / "evidence.md"

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the command openssl is not installed"
)


def pre_authentication_encoding(payload_type: bytes, payload: bytes) -> bytes:
    return b" ".join(
        [b"DSSEv1", str(len(payload_type)).encode(), payload_type, str(len(payload)).encode()]
    ) + (b" " + payload)


def openssl_verifies(directory: Path, public: bytes, signature: bytes, data: bytes) -> bool:
    (directory / "public.pem").write_bytes(public)
    (directory / "signature").write_bytes(signature)
    (directory / "data").write_bytes(data)
    command = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature"]
    done = subprocess.run(
        [*command, "data"], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() in ("Verified OK", "Verification failure", "Verification Failure")
    return done.returncode == 0


def test_openssl_alone_verifies_an_envelope(signed: Signed, tmp_path: Path) -> None:
    envelope = json.loads(signed.envelope)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    payload = base64.b64decode(envelope["payload"])
    data = pre_authentication_encoding(envelope["payloadType"].encode(), payload)
    assert openssl_verifies(tmp_path, signed.public, signature, data)
    changed = data.replace(b'"decision":"allow"', b'"decision":"deny!"')
    assert changed != data
    assert not openssl_verifies(tmp_path, signed.public, signature, changed)


@pytest.mark.skipif(shutil.which("jq") is None, reason="the command jq is not installed")
def test_the_guides_commands_verify_an_envelope(signed: Signed, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = next(block for block in blocks if "openssl dgst" in block)
    (tmp_path / "evidence.json").write_bytes(signed.envelope)
    (tmp_path / "signing.pub.pem").write_bytes(signed.public)
    done = subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Verified OK\n"), done.stderr
    assert (tmp_path / "statement.json").read_bytes() == signed.statement
