"""The whole system in one test process: a store, a worker, agents, and releases to promote."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle

from engine.agent import running_agents
from engine.client import PromotionClient
from engine.client.workers import NoWorkerError
from engine.config import Settings
from engine.documents.environment_file import load_environments
from engine.documents.release_file import load_release
from engine.model.promotion import PromotionState, PromotionStatus
from engine.store.store import Store
from engine.sweep import SCHEDULE_ID
from engine.temporal import connect
from engine.worker import running_worker
from tests.harness.databases import upgrade

PATIENCE = 60.0
"""Seconds after which a condition that should come true is given up; never a measure of speed."""


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds."""
    for _ in range(int(PATIENCE / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never came true: {what}")


def trivy_report(**counts: int) -> bytes:
    """A Trivy report with so many findings per severity, e.g. `critical=1`."""
    findings = [
        {
            "VulnerabilityID": f"CVE-2026-{1000 + number}",
            "PkgName": "openssl",
            "InstalledVersion": "3.0.1",
            "FixedVersion": "3.0.2",
            "Severity": severity.upper(),
        }
        for severity, count in counts.items()
        for number in range(count)
    ]
    report = {
        "SchemaVersion": 2,
        "ArtifactName": "web",
        "ArtifactType": "filesystem",
        "Results": [{"Target": "web", "Class": "os-pkgs", "Vulnerabilities": findings}],
    }
    return json.dumps(report).encode()


@dataclass
class System:
    """One tenant's system: everything is real, and only the processes are one."""

    settings: Settings
    store: Store
    client: Client
    promotions: PromotionClient
    tenant: str
    directory: Path
    agents: list[str] = field(default_factory=list)

    async def apply(self, text: str) -> None:
        """Apply an environment file given as YAML; its tenant is added."""
        path = self.directory / "environments.yaml"
        path.write_text(f"tenant: {self.tenant}\n{text}")
        for definition in load_environments(path):
            await self.store.environments.apply(definition)

    async def release(
        self, version: str, report: bytes | None = None, *, lost: bool = False
    ) -> str:
        """Register a release of one real archive, and return its name.

        Args:
            lost: take the archive away after registering, so that no agent can pull it.
        """
        home = self.directory / f"web-{version}"
        home.mkdir()
        with tarfile.open(home / "web.tar.gz", "w:gz") as archive:
            content = f"version {version}\n".encode()
            info = tarfile.TarInfo("VERSION")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        (home / "report.json").write_bytes(trivy_report(low=2) if report is None else report)
        (home / "release.yaml").write_text(
            f"tenant: {self.tenant}\nname: web\nversion: {version}\n"
            "components:\n  - name: web\n    artifact: web.tar.gz\n"
            "    attachments: [{path: report.json, format: trivy-json}]\n"
        )
        loaded = load_release(home / "release.yaml")
        await self.store.releases.register(loaded.tenant, loaded.release, loaded.attachments)
        if lost:
            (home / "web.tar.gz").unlink()
        return loaded.release.ref

    async def start(self, release: str, environment: str, **more: Any) -> WorkflowHandle[Any, Any]:
        """Start a promotion as any Temporal client would."""
        return await self.client.start_workflow(
            "promotion.request",
            {
                "release": release,
                "environment": environment,
                "tenant": self.tenant,
                "requested_by": "alice",
                **more,
            },
            id=f"promotion/{uuid4()}",
            task_queue="promotions",
        )

    async def until_status(self, workflow_id: str, status: PromotionStatus) -> PromotionState:
        """Wait until a promotion has the given status."""
        promotion_id = workflow_id.removeprefix("promotion/")
        found = "not known"
        for _ in range(int(PATIENCE / 0.05)):
            # The server gets to know of a worker when that first polls, after it has started.
            with suppress(NoWorkerError):
                state = await self.promotions.state(promotion_id)
                if state.status is status:
                    return state
                found = state.status
            await asyncio.sleep(0.05)
        raise AssertionError(f"{workflow_id} never became {status}; it is {found}")

    async def until_settled(self, *workflow_ids: str) -> None:
        """Wait until the sampled traces of these ended promotions are settled, by whomever."""
        sweep = self.client.get_schedule_handle(SCHEDULE_ID)
        for attempt in range(int(PATIENCE * 2 / 0.25)):
            owed = {trace.workflow_id for trace in await self.store.traces.owed(limit=10_000)}
            if owed.isdisjoint(workflow_ids):
                return
            await asyncio.sleep(0.25)
            if attempt % 8 == 7:
                await sweep.trigger()
        raise AssertionError(f"never settled: {owed.intersection(workflow_ids)}")

    def running_version(self, environment: str, target: str) -> str:
        """What a target of the directory driver runs: the content of its VERSION file."""
        agent = f"{self.tenant}-{environment}-{target}"
        root = self.settings.home / "agents" / agent / target
        return (root / "current" / "VERSION").read_text()

    def environment_yaml(
        self, name: str, *, targets: int = 2, gates: str = "[]", more: str = ""
    ) -> str:
        """One entry of an environment file, each target with an agent of its own."""
        entries = "".join(
            f"      - {{name: t{number}, agent: {self.tenant}-{name}-t{number}}}\n"
            for number in range(1, targets + 1)
        )
        return f"  - name: {name}\n    targets:\n{entries}    gates: {gates}\n{more}"


@asynccontextmanager
async def prepared_system(
    home: Path, temporal_address: str, environ: pytest.MonkeyPatch, *, database_url: str = ""
) -> AsyncIterator[System]:
    """A system whose database is ready, with neither a worker nor agents."""
    environ.setenv("TEMPORAL_ADDRESS", temporal_address)
    settings = Settings(home=home, database_url=database_url)
    await upgrade(settings.effective_database_url)
    async with Store.open(settings.effective_database_url) as store:
        client = await connect(settings)
        yield System(
            settings=settings,
            store=store,
            client=client,
            promotions=PromotionClient(client),
            tenant=f"t{uuid4().hex[:8]}",
            directory=home,
        )


@asynccontextmanager
async def running_system(
    home: Path,
    temporal_address: str,
    environ: pytest.MonkeyPatch,
    *,
    database_url: str = "",
    endpoint: str = "",
    protocol: str = "grpc",
) -> AsyncIterator[System]:
    """A system whose worker runs; agents are started by `with_agents`."""
    if endpoint:
        environ.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        environ.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        environ.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    async with (
        prepared_system(home, temporal_address, environ, database_url=database_url) as system,
        running_worker(system.settings),
    ):
        yield system


@asynccontextmanager
async def with_agents(system: System, *names: str) -> AsyncIterator[None]:
    """Agents of `<environment>-<target>`, e.g. `staging-t1`."""
    ids = [f"{system.tenant}-{name}" for name in names]
    root = system.settings.home / "agents"
    async with running_agents(ids, settings=system.settings, root=root):
        yield
