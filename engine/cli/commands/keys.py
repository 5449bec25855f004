"""`promote keys …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.console import out, say
from engine.cli.options import User, acting_user
from engine.cli.signing import PassphraseFile, read_passphrase
from engine.errors import InputError

group = typer.Typer(help="Make keys for signed approvals.", no_args_is_help=True)


@group.command("new")
def new(
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the private key.")
    ],
    kind: Annotated[str, typer.Option("--type", help="p256 (ECDSA) or ed25519.")] = "p256",
    user: User = "",
    key_passphrase_file: PassphraseFile = None,
) -> None:
    """Make a key pair: the private key into a new file, the public one onto the terminal.

    The private key stays with you. What is printed belongs into the environment file, whose owner
    has to know that it is yours. Without a passphrase file the private key is not encrypted.
    """
    from engine.approvals.keys import KeyKind, make_key

    owner = acting_user(user)
    try:
        wanted = KeyKind(kind)
    except ValueError as error:
        known = ", ".join(each.value for each in KeyKind)
        raise InputError("--type", f"{kind!r} is no type of key", f"use one of {known}") from error
    passphrase = None
    if key_passphrase_file is not None:
        passphrase = read_passphrase("--key-passphrase-file", key_passphrase_file)
    made = make_key(output, wanted, passphrase)
    say(f"private key: {output}, key id {made.key_id}; keep it to yourself")
    _print_entry(owner, made.public_pem)


@group.command("show")
def show(
    key: Annotated[Path, typer.Argument(metavar="FILE", help="A private key.")],
    user: User = "",
    key_passphrase_file: PassphraseFile = None,
) -> None:
    """Print the public key of a private key, as the environment file takes it."""
    from engine.approvals.keys import load_signer

    owner = acting_user(user)
    passphrase = None
    if key_passphrase_file is not None:
        passphrase = read_passphrase("--key-passphrase-file", key_passphrase_file)
    loaded = load_signer(key, passphrase, field="FILE")
    say(f"key id {loaded.key_id}")
    _print_entry(owner, loaded.public_pem)


def _print_entry(owner: str, public_pem: str) -> None:
    import json

    out("keys:")
    # A JSON text is a YAML text as well, whatever characters a name has.
    out(f"  {json.dumps(owner)}:")
    out("    - public_key: |")
    for line in public_pem.splitlines():
        out(f"        {line}")
