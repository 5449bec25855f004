"""The search attributes on the server: registering them, and insisting on them."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from engine.errors import InputError, UnreachableError
from engine.model.search_attributes import SEARCH_ATTRIBUTES


async def missing_search_attributes(client: Client) -> list[str]:
    """The names of ours that the client's namespace does not have as Keyword.

    Raises:
        UnreachableError: the server does not answer, or refuses to tell.
    """
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        raise UnreachableError(
            f"the search attributes of namespace {client.namespace!r} cannot be read: {error}"
        ) from error
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    return [name for name in SEARCH_ATTRIBUTES if answer.custom_attributes.get(name) != keyword]


async def register_search_attributes(client: Client) -> list[str]:
    """Register those that are missing and return their names; doing it twice changes nothing.

    Raises:
        UnreachableError: the server does not answer, or refuses.
    """
    missing = await missing_search_attributes(client)
    if not missing:
        return []
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace,
                search_attributes=dict.fromkeys(missing, keyword),
            )
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise UnreachableError(
                f"the search attributes {', '.join(missing)} cannot be registered on namespace "
                f"{client.namespace!r}: {error}"
            ) from error
    return missing


async def require_search_attributes(client: Client) -> None:
    """Insist on the search attributes: a workflow that sets an unknown one would never go on.

    Raises:
        InputError: some are missing; the message says what to run.
        UnreachableError: the server does not answer.
    """
    missing = await missing_search_attributes(client)
    if missing:
        raise InputError(
            "search attributes",
            f"namespace {client.namespace!r} lacks {', '.join(missing)}",
            "register them with: promote server init",
        )
