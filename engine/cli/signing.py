"""Signing votes at the command line: the options, and what a person is shown before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import say
from engine.cli.files import read_bytes
from engine.errors import PromotionEngineError

if TYPE_CHECKING:
    from engine.approvals.keys import ApproverSigner
    from engine.approvals.statement import ApprovalStatement
    from engine.client.voting import Signature

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar="PROMOTE_APPROVER_KEY",
        show_envvar=True,
        help="Sign with this private key (PEM: ECDSA P-256 or Ed25519).",
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--key-passphrase-file",
        metavar="FILE",
        help="The passphrase of an encrypted key; asked for on a terminal without it.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Sign without asking on a terminal.")]
OnBehalfOf = Annotated[
    str,
    typer.Option(
        "--on-behalf-of", metavar="NAME", help="Whose vote it is, when they have delegated it."
    ),
]


def signature_by(key: Path | None, passphrase_file: Path | None, *, yes: bool) -> Signature | None:
    """How to sign, with the key that was named; None without one.

    What is signed is shown on standard error first, and asked for on a terminal.

    Raises:
        InputError: the key cannot be used.
    """
    if key is None:
        return None
    from engine.client.voting import Signature

    signer = _signer(key, passphrase_file)

    def show(statement: ApprovalStatement) -> None:
        for line in described(statement, signer.key_id):
            say(line)
        is_asked = not yes and sys.stdin.isatty() and sys.stderr.isatty()
        if is_asked and not typer.confirm("Sign this?", err=True):
            raise PromotionEngineError("nothing was signed, and nothing was sent")

    return Signature(signer, show)


def read_passphrase(option: str, path: Path) -> bytes:
    """The passphrase in a file; its last line end is left out.

    Raises:
        InputError: the file cannot be read.
    """
    return read_bytes(option, path).removesuffix(b"\n").removesuffix(b"\r")


def described(statement: ApprovalStatement, key_id: str) -> list[str]:
    """What a statement says, in lines for a person."""
    said = statement.predicate
    who = said.user if said.on_behalf_of is None else f"{said.user} for {said.on_behalf_of}"
    return [
        f"{who} signs with key {key_id}:",
        f"  {said.word.value} promotion {said.promotion}",
        f"  {said.release.name}@{said.release.version} to {said.environment} ({said.tenant})",
        *(f"  {part.name}: sha256:{part.digest.sha256}" for part in statement.subject),
        f"  release: sha256:{said.release.digest.sha256}",
        f"  release, template and policy: sha256:{said.binding.sha256}",
        *([f"  comment: {said.comment}"] if said.comment else []),
    ]


def _signer(key: Path, passphrase_file: Path | None) -> ApproverSigner:
    from engine.approvals.keys import PassphraseNeededError, load_signer

    if passphrase_file is not None:
        return load_signer(key, read_passphrase("--key-passphrase-file", passphrase_file))
    try:
        return load_signer(key)
    except PassphraseNeededError:
        if not sys.stdin.isatty():
            raise
        return load_signer(key, typer.prompt(f"Passphrase of {key}", hide_input=True).encode())
