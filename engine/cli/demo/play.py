"""The demo's course: staging, production with an approval, and a release that is denied."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
from temporalio.client import Client

from engine.cli.console import render
from engine.cli.demo.scene import Scene, build_scene
from engine.cli.progress import progress
from engine.cli.trace_tree import trace_view
from engine.client import PromotionClient
from engine.config import Settings
from engine.drivers.directory.config import DirectoryConfig
from engine.embedded.dev import embedded_system
from engine.errors import ExitCode, PromotionEngineError
from engine.evidence.keys import SigningKey
from engine.evidence.verify import verify_envelope
from engine.home.discovery import DevAddress
from engine.model.promotion import PromotionRequest, PromotionState, PromotionStatus
from engine.projection import project
from engine.store.store import Store
from engine.temporal import connect

REQUESTER = "alice"
APPROVER = "bob"
GOOD = "1.0.0"
BAD = "1.1.0"

Report = Callable[[str], None]


async def run_demo(settings: Settings, examples: Path, report: Report) -> ExitCode:
    """Play the demo in a home directory of its own.

    Returns:
        DONE when everything went as it should, else FAILED; what went otherwise is reported.

    Raises:
        PromotionEngineError: the system did not start.
    """
    report("# An embedded system: Temporal server, worker, six agents")
    scene = build_scene(settings, examples)
    async with embedded_system(scene.settings, scene.environment_file, report) as address:
        client = await connect(scene.settings, address=address.address)
        async with Store.open(scene.settings.effective_database_url) as store:
            play = _Play(scene, client, store, address, report)
            wrong = await play.run()
    for line in wrong:
        report(f"WRONG: {line}")
    if wrong:
        return ExitCode.FAILED
    report("")
    report("everything went as it should, and nothing is left running")
    report(f"what is left to look at: {scene.settings.home}")
    return ExitCode.DONE


class _Play:
    def __init__(
        self, scene: Scene, client: Client, store: Store, address: DevAddress, report: Report
    ) -> None:
        self._scene = scene
        self._client = client
        self._promotions = PromotionClient(client)
        self._store = store
        self._address = address
        self._report = report

    async def run(self) -> list[str]:
        """Play it all, and return what went otherwise than it should."""
        wrong = []
        for version, environment, status in (
            (GOOD, "staging", PromotionStatus.SUCCEEDED),
            (GOOD, "production", PromotionStatus.SUCCEEDED),
            (BAD, "production", PromotionStatus.DENIED),
        ):
            loaded = self._scene.releases[version]
            await self._store.releases.register(loaded.tenant, loaded.release, loaded.attachments)
            self._say(f"# {loaded.release.ref} to {environment}")
            state = await self._promote(loaded.tenant, loaded.release.ref, environment)
            if state.status is not status:
                wrong.append(
                    f"{loaded.release.ref} to {environment} is {state.status}, not {status}"
                )
            wrong += await self._show(state)
        self._say("# What the targets serve")
        return wrong + await self._check_targets()

    async def _promote(self, tenant: str, release: str, environment: str) -> PromotionState:
        state = await self._promotions.start(
            PromotionRequest(
                tenant=tenant, release=release, environment=environment, requested_by=REQUESTER
            )
        )
        self._report(f"promotion {state.promotion_id}, requested by {REQUESTER}")
        approved = False
        with progress(stdout_is_for_json=False) as show:
            async with aclosing(self._promotions.watch(state.promotion_id)) as states:
                async for state in states:
                    show(state)
                    if state.status is PromotionStatus.AWAITING_APPROVAL and not approved:
                        approved = True
                        await self._promotions.approve(
                            state.promotion_id, APPROVER, "the demo's second pair of eyes"
                        )
        return state

    async def _show(self, state: PromotionState) -> list[str]:
        workflow_id = await self._promotions.workflow_id(state.promotion_id)
        spans = (await project(self._client, workflow_id)).spans
        self._say(f"trace {state.trace_id}")
        render(trace_view(spans, datetime.now(UTC)))
        wrong = [f"span {span.name} has not ended" for span in spans if span.ended_at is None]
        wrong += await self._show_evidence(state)
        page = f"namespaces/{self._address.namespace}/workflows/{quote(workflow_id, safe='')}"
        self._report(f"Temporal UI: {self._address.ui}/{page}")
        return wrong

    async def _show_evidence(self, state: PromotionState) -> list[str]:
        evidence = await self._store.evidence.get(state.promotion_id)
        path = self._scene.settings.home / "evidence" / f"{state.promotion_id}.dsse.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(evidence.envelope)
        key = SigningKey.load(self._scene.settings.effective_signing_key)
        try:
            verified = verify_envelope(path.read_bytes(), key.public_pem())
        except PromotionEngineError as error:
            return [f"the evidence of {state.promotion_id} does not verify: {error}"]
        self._say(f"evidence: {path}")
        self._report(f"verified: sha256 {verified.sha256}, signed by key {verified.key_id}")
        return []

    async def _check_targets(self) -> list[str]:
        wrong = []
        async with httpx.AsyncClient(timeout=5) as http:
            for definition in self._scene.environments:
                for target in definition.targets:
                    health = DirectoryConfig.model_validate(target.config).health
                    if health is None:
                        wrong.append(f"target {target.name} has no health check")
                        continue
                    url = httpx.URL(str(health.url)).join("/")
                    try:
                        served = (await http.get(url)).text.strip()
                    except httpx.HTTPError as error:
                        served = f"nothing ({type(error).__name__})"
                    self._report(f"{target.name:14} {url}  {served}")
                    if GOOD not in served:
                        wrong.append(f"target {target.name} serves {served!r}, not {GOOD}")
        return wrong

    def _say(self, line: str) -> None:
        self._report("")
        self._report(line)
