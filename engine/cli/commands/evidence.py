"""`promote evidence …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from engine.cli.console import out, out_json, say
from engine.cli.files import read_bytes, write_bytes
from engine.cli.options import AsJson, PromotionId
from engine.cli.session import with_client, with_store
from engine.errors import EvidenceError, ExitCode, InputError, NotFoundError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.store.rows import EvidenceRow
    from engine.store.store import Store

group = typer.Typer(help="Export and verify signed evidence.", no_args_is_help=True)


@group.command("export")
def export(
    promotion: PromotionId,
    evidence: Annotated[
        UUID | None,
        typer.Option(
            metavar="ID", help="Which one, where a reset left several; the one that counts."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write it; stdout by default."
        ),
    ] = None,
) -> None:
    """Write a promotion's evidence: an in-toto Statement in a signed DSSE envelope, as JSON."""
    wanted = _promotion_id(promotion)

    async def read(store: Store) -> EvidenceRow:
        if evidence is None:
            return await store.evidence.get(wanted)
        for row in await store.evidence.all(wanted):
            if row.id == evidence:
                return row
        raise NotFoundError(
            "--evidence", f"promotion {wanted} has no {evidence}", "see: promote evidence list"
        )

    row = with_store(read)
    if output is None:
        out(row.envelope.decode())
        return
    write_bytes("--output", output, row.envelope)
    say(f"evidence {row.id}: written to {output}, signed by key {row.key_id}")


@group.command("list")
def list_(promotion: PromotionId, as_json: AsJson = False) -> None:
    """List a promotion's evidence, the one that counts first; a reset leaves several."""
    wanted = _promotion_id(promotion)
    rows = with_store(lambda store: store.evidence.all(wanted))
    if as_json:
        out_json([row.model_dump(mode="json", exclude={"statement", "envelope"}) for row in rows])
        return
    for row in rows:
        out(f"{row.id}  {row.finished_at:%Y-%m-%d %H:%M:%S}Z  sha256:{row.sha256}  {row.key_id}")


@group.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An exported envelope.")],
    key: Annotated[
        Path,
        typer.Option("--key", metavar="PUB", help="The public key that you trust, as PEM."),
    ],
    as_json: AsJson = False,
) -> None:
    """Verify evidence offline, with nothing but the public key: exit code 0 or 1."""
    from engine.evidence.verify import verify_envelope

    envelope, public_key = read_bytes("FILE", file), read_bytes("--key", key)
    try:
        verified = verify_envelope(envelope, public_key)
    except EvidenceError as error:
        if not as_json:
            raise
        out_json({"verified": False, "problem": str(error)})
        raise typer.Exit(ExitCode.FAILED) from error
    if as_json:
        statement = verified.statement.model_dump(mode="json", by_alias=True)
        out_json(
            {
                "verified": True,
                "sha256": verified.sha256,
                "key_id": verified.key_id,
                "statement": statement,
            }
        )
        return
    out(f"verified: signed by key {verified.key_id}")
    out(f"statement: sha256 {verified.sha256}")
    for subject in verified.subjects:
        out(f"subject: {subject.name}")


@group.command("votes")
def votes(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An exported envelope.")],
    key: Annotated[
        Path,
        typer.Option("--key", metavar="PUB", help="The public key that you trust, as PEM."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Where to write them; made if needed."),
    ],
) -> None:
    """Take the signed votes out of verified evidence: each envelope, and the key that made it.

    A key is the one that was registered for the voter when the promotion began. Compare it with
    what the person says is theirs before you believe in it.
    """
    from engine.evidence.verify import verify_envelope
    from engine.evidence.votes import signed_votes

    verified = verify_envelope(read_bytes("FILE", file), read_bytes("--key", key))
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--output", f"{output} cannot be made: {error.strerror}") from error
    for vote in signed_votes(verified.predicate):
        path = output / f"{vote.name}.json"
        write_bytes("--output", path, vote.envelope)
        if vote.public_key:
            write_bytes("--output", output / f"{vote.name}.pub.pem", vote.public_key.encode())
        out(f"{path}  {vote.user}")


@group.command("public-key")
def public_key() -> None:
    """Print the public key, as PEM, with which others verify our evidence."""
    from engine.config import load_settings
    from engine.evidence.keys import SigningKey

    path = load_settings().effective_signing_key
    if not path.exists():
        raise InputError(
            "PROMOTE_SIGNING_KEY", f"there is no key {path} yet", "a worker makes it at its start"
        )
    out(SigningKey.load(path).public_pem().decode().rstrip("\n"))


def _promotion_id(ref: str) -> UUID:
    try:
        return UUID(ref.removeprefix("promotion/"))
    except ValueError:
        pass

    async def look_up(client: PromotionClient) -> UUID:
        return await client.promotion_id(ref)

    return with_client(look_up)
