"""The connection to Temporal, the same for every process of ours.

Settings are Temporal's own (`temporalio.envconfig`: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API
key, profiles; https://docs.temporal.io/develop/environment-configuration). Where they name no
address, the embedded server of this directory is used if it runs.
"""

from __future__ import annotations

import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError

from engine.config import Settings
from engine.converter import DATA_CONVERTER
from engine.errors import InputError, UnreachableError

if TYPE_CHECKING:
    from temporalio.runtime import Runtime

    from engine.telemetry.interceptor import TracingInterceptor

DEFAULT_ADDRESS = "localhost:7233"
CONNECT_TIMEOUT = timedelta(seconds=10)


async def connect(
    settings: Settings,
    tracing: TracingInterceptor | None = None,
    *,
    address: str | None = None,
    runtime: Runtime | None = None,
) -> Client:
    """Connect to Temporal.

    Args:
        tracing: the process's tracing interceptor; one that exports nothing by default.
        address: `host:port` of a server to use in place of what the configuration names.
        runtime: the SDK's runtime, which measures; the default one by default, which does not.

    Raises:
        InputError: Temporal's own configuration cannot be used.
        UnreachableError: the server does not answer.
    """
    from engine.telemetry.interceptor import TracingInterceptor

    options = ClientConnectConfig() if address else _configured()
    target = address or options.get("target_host") or _embedded_address(settings) or DEFAULT_ADDRESS
    options["target_host"] = target
    try:
        return await Client.connect(
            data_converter=DATA_CONVERTER,
            interceptors=[tracing or TracingInterceptor()],
            connect_timeout=CONNECT_TIMEOUT,
            runtime=runtime,
            **options,
        )
    except (RuntimeError, RPCError) as error:
        raise UnreachableError(
            f"the Temporal server at {target} does not answer; "
            "start one with `promote dev`, or set TEMPORAL_ADDRESS"
        ) from error
    except (ValueError, TypeError) as error:
        raise InputError("TEMPORAL_ADDRESS", f"{target!r} cannot be used: {error}") from error


def _configured() -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, KeyError, OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            "TEMPORAL_*", f"the configuration cannot be used: {error}", "see temporalio.envconfig"
        ) from error


def _embedded_address(settings: Settings) -> str | None:
    from engine.home.discovery import running

    found = running(settings.home)
    return None if found is None else found.address
