"""Secrets by reference, also those that plugins resolve: `plugin:<id>:<reference>`.

`plugin:<id>/<resolver>:<reference>` names one of several resolvers of a plugin.
"""

from __future__ import annotations

from pydantic import ValidationError

from engine.actions.secrets import MAX_BYTES
from engine.actions.secrets import resolve as resolve_here
from engine.errors import InputError
from engine.plugins.calls import Calls
from engine.plugins.messages import SecretParams, SecretReply
from engine.plugins.protocol import Method, OfferKind
from engine.plugins.use import PluginUse, call

_SCHEME = "plugin:"


async def resolve(reference: str, calls: Calls, key: str = "secret") -> str:
    """The secret that `env:NAME`, `file:PATH` or a plugin's reference stands for.

    Args:
        key: names the work that it is for.

    Raises:
        InputError: there is none, or the reference is none. The message never holds the secret.
        PluginError: the plugin gave no usable answer.
    """
    if not reference.startswith(_SCHEME):
        return await resolve_here(reference)
    use, below = _use(reference)
    reply, _ = await call(
        use,
        OfferKind.SECRETS,
        Method.SECRET_RESOLVE,
        SecretParams(reference=below),
        SecretReply,
        key=key,
        # A resolver finds what it needs itself; one that asked another could go round in circles.
        resolve_secret=resolve_here,
        calls=calls,
    )
    if len(reply.secret.encode(errors="replace")) > MAX_BYTES:
        raise InputError(reference, f"is larger than {MAX_BYTES // 1024} KiB")
    return reply.secret


def _use(reference: str) -> tuple[PluginUse, str]:
    named, _, below = reference.removeprefix(_SCHEME).partition(":")
    plugin, _, offer = named.partition("/")
    try:
        use = PluginUse(plugin=plugin, offer=offer or None)
    except ValidationError:
        below = ""
    if not below:
        raise InputError(
            "secret", f"{reference!r} is no reference", "write plugin:<id>:<reference>"
        )
    return use, below
