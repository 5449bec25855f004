"""The trace goes on to what an agent calls and starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine.drivers.directory.supervision import stop_services
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from engine.telemetry.propagation import attach_from_environment, from_carrier
from tests.e2e.test_dev import free_ports
from tests.harness.system import running_system, with_agents

SERVICE = """\
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {"asked": dict(self.headers), "started": dict(os.environ)}
        body = json.dumps(seen).encode()
        with open(os.environ["SEEN"], "wb") as file:
            file.write(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


async def test_service_and_health_check_get_the_span_of_their_task(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    seen = tmp_path / "seen.json"
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    async with running_system(tmp_path, temporal_address, monkeypatch) as system:
        agent = f"{system.tenant}-staging-t1"
        await system.apply(
            "environments:\n  - name: staging\n    targets:\n"
            f"      - name: t1\n        agent: {agent}\n        config:\n          service:\n"
            f"            command: ['{sys.executable}', '{script}']\n"
            f"            environment: {{PORT: '{port}', SEEN: '{seen}'}}\n"
            f"          health: {{url: 'http://127.0.0.1:{port}/'}}\n"
        )
        release = await system.release("1.0.0")
        caller = {"TRACEPARENT": f"00-{'ab' * 16}-{'cd' * 8}-01", "BAGGAGE": "build=17"}
        with attach_from_environment(caller):
            handle = await system.start(release, "staging")
        try:
            async with with_agents(system, "staging-t1"):
                result = PromotionResult.model_validate(await handle.result())
        finally:
            await stop_services(system.settings.home / "agents" / agent)
        assert result.status is PromotionStatus.SUCCEEDED
        spans = {span.name: span for span in (await project(system.client, handle.id)).spans}

    called = spans["agent.task.health_check"].attributes
    assert (called["http.request.method"], called["http.response.status_code"]) == ("GET", 200)
    assert (called["server.address"], called["server.port"]) == ("127.0.0.1", port)
    assert called["url.full"] == f"http://127.0.0.1:{port}/"

    observed = json.loads(seen.read_text())
    asked = from_carrier({key.lower(): value for key, value in observed["asked"].items()})
    started = from_carrier(
        {key.lower(): observed["started"][key] for key in ("TRACEPARENT", "BAGGAGE")}
    )
    assert asked is not None
    assert started is not None
    assert asked.trace_id == started.trace_id == "ab" * 16
    assert asked.span_id == spans["agent.task.health_check"].span_id
    assert started.span_id == spans["agent.task.deploy"].span_id
    for context in (asked, started):
        assert context.baggage["build"] == "17"
        assert context.baggage["environment.name"] == "staging"
        assert context.baggage["tenant.id"] == spans["promotion.request"].attributes["tenant.id"]
