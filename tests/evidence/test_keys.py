from __future__ import annotations

import multiprocessing
import os
import stat
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.evidence.keys import SigningKey, load_public_key, public_key_path

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PROCESSES = 6
ROUNDS = 15


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_private(path: Path, data: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


def pem(
    key: PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def test_makes_a_private_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys" / "signing.pem"
    SigningKey.load_or_create(path)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "signing.pem"
    before = os.umask(umask)
    try:
        SigningKey.load_or_create(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert mode(public_key_path(path)) == 0o644


def test_writes_the_public_key_beside_it_and_nothing_else(tmp_path: Path) -> None:
    key = SigningKey.load_or_create(tmp_path / "signing.pem")
    assert {file.name for file in tmp_path.iterdir()} == {"signing.pem", "signing.pub.pem"}
    public = (tmp_path / "signing.pub.pem").read_bytes()
    assert public == key.public_pem()
    assert load_public_key(public).keyid == key.key_id


def test_the_same_file_is_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = SigningKey.load_or_create(path)
    content = path.read_bytes()
    again = SigningKey.load_or_create(path)
    assert (again.key_id, again.public_pem()) == (made.key_id, made.public_pem())
    assert path.read_bytes() == content


def test_two_places_have_two_keys(tmp_path: Path) -> None:
    first = SigningKey.load_or_create(tmp_path / "first.pem")
    second = SigningKey.load_or_create(tmp_path / "second.pem")
    assert first.key_id != second.key_id


def test_restores_a_public_key_that_is_missing_or_of_another_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    key = SigningKey.load_or_create(path)
    public_key_path(path).unlink()
    SigningKey.load_or_create(path)
    assert public_key_path(path).read_bytes() == key.public_pem()
    public_key_path(path).write_bytes(b"of another key")
    SigningKey.load_or_create(path)
    assert public_key_path(path).read_bytes() == key.public_pem()


def test_signs_also_where_no_public_key_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = SigningKey.load_or_create(path)
    public_key_path(path).unlink()
    public_key_path(path).mkdir()
    assert SigningKey.load_or_create(path).key_id == made.key_id
    assert {file.name for file in tmp_path.iterdir()} == {"signing.pem", "signing.pub.pem"}


def _race(directory: str, start: Barrier, seen: Queue[tuple[int, str]]) -> None:
    for number in range(ROUNDS):
        start.wait(60)
        key = SigningKey.load_or_create(Path(directory) / str(number) / "signing.pem")
        seen.put((number, key.key_id))


def test_processes_that_race_at_first_use_end_up_with_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(PROCESSES)
    seen: Queue[tuple[int, str]] = spawn.Queue()
    racers = [
        spawn.Process(target=_race, args=(str(tmp_path), start, seen)) for _ in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    try:
        results = [seen.get(timeout=120) for _ in range(PROCESSES * ROUNDS)]
    finally:
        for racer in racers:
            racer.join(30)
            racer.kill()
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        ids = {key_id for round_number, key_id in results if round_number == number}
        assert ids == {SigningKey.load(home / "signing.pem").key_id}
        assert {file.name for file in home.iterdir()} == {"signing.pem", "signing.pub.pem"}


@pytest.mark.parametrize("open_mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o777])
def test_refuses_a_key_that_others_can_reach(tmp_path: Path, open_mode: int) -> None:
    path = tmp_path / "my keys" / "signing.pem"
    SigningKey.load_or_create(path)
    path.chmod(open_mode)
    with pytest.raises(InputError) as raised:
        SigningKey.load_or_create(path)
    assert raised.value.field == "PROMOTE_SIGNING_KEY"
    assert f"{open_mode:04o}" in raised.value.problem
    assert raised.value.remedy == f"run chmod 600 '{path}'"
    path.chmod(0o600)
    SigningKey.load_or_create(path)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_takes_a_key_that_was_made_elsewhere(tmp_path: Path, form: PrivateFormat) -> None:
    given_key = pem(ec.generate_private_key(ec.SECP256R1()), form)
    path = write_private(tmp_path / "given.key", given_key)
    key = SigningKey.load_or_create(path)
    assert (tmp_path / "given.pub.pem").read_bytes() == key.public_pem()
    assert path.read_bytes() == given_key


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a PEM private key"),
        (b"not a key", "is not a PEM private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is not a PEM private"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "is not an ECDSA P-256 key"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "is not an ECDSA P-256 key"),
        (pem(rsa.generate_private_key(65537, 2048)), "is not an ECDSA P-256 key"),
        (
            pem(
                ec.generate_private_key(ec.SECP256R1()),
                encryption=BestAvailableEncryption(b"secret"),
            ),
            "is encrypted",
        ),
    ],
    ids=["empty", "text", "broken", "p384", "ed25519", "rsa", "encrypted"],
)
def test_refuses_what_is_not_a_usable_key(tmp_path: Path, content: bytes, problem: str) -> None:
    path = write_private(tmp_path / "signing.pem", content)
    with pytest.raises(InputError, match=problem) as raised:
        SigningKey.load_or_create(path)
    assert raised.value.field == "PROMOTE_SIGNING_KEY"
    assert "ECDSA P-256" in raised.value.remedy
    assert path.read_bytes() == content


@given(content=st.binary(max_size=200))
def test_any_content_gives_a_key_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = write_private(tmp_path_factory.mktemp("garbage") / "signing.pem", content)
    with pytest.raises(InputError):
        SigningKey.load_or_create(path)


def test_refuses_a_directory_a_pipe_and_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for place in ("directory", "pipe", "file/signing.pem", "dangling"):
        with pytest.raises(InputError) as raised:
            SigningKey.load_or_create(tmp_path / place)
        assert raised.value.field == "PROMOTE_SIGNING_KEY"
        assert place in raised.value.problem


def test_load_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no key .*PROMOTE_HOME"):
        SigningKey.load(tmp_path / "signing.pem")
    assert list(tmp_path.iterdir()) == []


def test_does_not_show_the_private_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    key = SigningKey.load_or_create(path)
    assert repr(key) == "SigningKey()"


@given(content=st.binary(max_size=200))
def test_any_public_key_is_taken_or_refused_by_name(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^key: "):
        load_public_key(content)


def test_names_the_mistake_when_a_private_key_is_given_for_a_public_one() -> None:
    with pytest.raises(InputError, match="this is a private key"):
        load_public_key(pem(ec.generate_private_key(ec.SECP256R1())))
