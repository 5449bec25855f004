"""Asking a target whether it is healthy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx

from engine.actions.propagation import trace_headers
from engine.drivers.calls import http_call
from engine.drivers.directory.background import in_thread
from engine.drivers.directory.config import HealthConfig
from engine.drivers.protocol import Called, unheard
from engine.errors import HealthCheckError

_TRY_SECONDS = 5.0
_FIRST_TRY_SECONDS = 1.0
_MAX_BODY_BYTES = 2**20
_SHOWN_CHARACTERS = 200


async def wait_until_healthy(
    health: HealthConfig, check_process: Callable[[], None], called: Called = unheard
) -> str:
    """Ask until the answer is the expected one.

    Args:
        called: told of each try; see `DriverContext.called`.
        check_process: raises `HealthCheckError` when the process to ask has ended. Called in a
            thread before each try, and once more after a good answer, which may have come from
            another process.

    Returns:
        The good answer, in words.

    Raises:
        HealthCheckError: no good answer in the configured time; the message holds the last one.
    """
    deadline = time.monotonic() + health.timeout.total_seconds()
    answer, tries = "nothing was asked", 0
    # A proxy that the environment names is for the way out, not for the way to the target.
    async with httpx.AsyncClient(trust_env=False, headers=trace_headers()) as client:
        while (left := deadline - time.monotonic()) > 0 or tries == 0:
            await in_thread(check_process)
            # On a busy host the time may be over before the first question is out.
            seconds = min(_TRY_SECONDS, left if tries else max(left, _FIRST_TRY_SECONDS))
            status, good, told = await _ask(client, health, seconds)
            if status is not None or seconds == _TRY_SECONDS or tries == 0:
                # A try that the end of the time cut off tells less than the one before it.
                answer = told
            called(http_call(str(health.url), status=status, resent=tries))
            tries += 1
            if good:
                await in_thread(check_process)
                return answer
            left = deadline - time.monotonic()
            await asyncio.sleep(max(0.0, min(health.interval.total_seconds(), left)))
    await in_thread(check_process)
    raise HealthCheckError(
        f"{health.url} was not healthy within {health.timeout.total_seconds():g} s; "
        f"the last answer: {answer}"
    )


async def _ask(
    client: httpx.AsyncClient, health: HealthConfig, seconds: float
) -> tuple[int | None, bool, str]:
    """The status of the answer, whether it is the expected one, and the answer in words."""
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream("GET", str(health.url), timeout=seconds) as response,
        ):
            body = await _read_body(response)
    except TimeoutError:
        return None, False, f"none within {seconds:.1f} s"
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        return None, False, f"{type(error).__name__}: {error}"
    status = response.status_code
    shown = f"{status} {body[:_SHOWN_CHARACTERS]!r}"
    if status != health.expect_status:
        return status, False, f"{shown}, where status {health.expect_status} is expected"
    if health.expect_body_contains is not None and health.expect_body_contains not in body:
        wanted = repr(health.expect_body_contains)
        return status, False, f"{shown}, where {wanted} is expected in the body"
    return status, True, shown


async def _read_body(response: httpx.Response) -> str:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= _MAX_BODY_BYTES:
            break
    return body[:_MAX_BODY_BYTES].decode(errors="replace")
