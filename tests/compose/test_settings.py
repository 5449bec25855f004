"""What docker-compose.yml says to our own code, and to the libraries that read variables."""

from __future__ import annotations

import inspect
import re
import shlex

import pytest
import typer
from opentelemetry.sdk import environment_variables
from temporalio.envconfig import ClientConfig

from engine.cli.main import app
from engine.config import Settings
from engine.documents.environment_file import load_environments
from engine.model.search_attributes import SEARCH_ATTRIBUTES
from engine.otel import opentelemetry_configured
from engine.telemetry.export import schedule_delay
from engine.telemetry.resource import resource
from engine.telemetry.sampling import sampler
from tests.compose.composefile import ROOT, ours, services

OURS = ours(services())
DOCUMENTED = [
    line.strip().removeprefix("docker compose exec worker ")
    for line in (ROOT / "docs" / "compose.md").read_text().splitlines()
    if re.match(r"    (docker compose exec worker )?promote ", line)
]

PREALLOCATED_KEYWORDS = 10
"""Search attributes of type Keyword that a namespace can have on PostgreSQL:
https://docs.temporal.io/search-attribute#custom-search-attributes-limits"""


def parse(words: list[str]) -> None:
    """Have the real command line parse `words`, down to the last option, without running it."""
    command = typer.main.get_command(app)
    context = command.make_context("promote", list(words))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        assert name is not None
        context = command.make_context(name, rest, parent=context)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any variable that the code below reads."""
    import os

    for name in list(os.environ):
        if name.startswith(("PROMOTE_", "TEMPORAL_", "OTEL_")) or name == "ENVIRONMENT":
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("name", OURS)
def test_commands_are_commands_of_promote(name: str) -> None:
    if name != "promote":
        parse(OURS[name]["command"])


@pytest.mark.parametrize("line", DOCUMENTED)
def test_documented_commands_are_commands_of_promote(line: str) -> None:
    parse(shlex.split(line)[1:])


def test_commands_that_do_not_exist_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["agent", "--id", "a", "--rot", "/"])
    with pytest.raises(Exception, match="No such command"):
        parse(["db", "upgrad"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_read_by_somebody(name: str) -> None:
    code = "".join(path.read_text() for path in (ROOT / "engine").rglob("*.py"))
    entrypoint = (ROOT / "deploy" / "entrypoint.sh").read_text()
    sdk = inspect.getsource(environment_variables)
    for variable in OURS[name]["environment"]:
        if variable.startswith("PROMOTE_") and variable != "PROMOTE_USER":
            assert variable.removeprefix("PROMOTE_").lower() in Settings.model_fields
        elif variable.startswith("OTEL_"):
            assert re.search(rf"^{variable} = ", sdk, re.M)
        elif variable in ("TRACEPARENT", "TRACESTATE", "BAGGAGE"):
            assert f'"{variable.lower()}"' in code
        elif not variable.startswith("TEMPORAL_"):
            assert variable in code or variable in entrypoint


@pytest.mark.parametrize("name", OURS)
def test_temporal_is_found_by_its_own_configuration(name: str, only: pytest.MonkeyPatch) -> None:
    environment = OURS[name]["environment"]
    wanted = {key: value for key, value in environment.items() if key.startswith("TEMPORAL_")}
    for key, value in wanted.items():
        only.setenv(key, value)
    found = ClientConfig.load_client_connect_config()
    if name == "migrate":
        assert not wanted
    else:
        assert (found.get("target_host"), found.get("namespace")) == ("temporal:7233", "default")


def test_the_worker_has_the_specification_s_settings(only: pytest.MonkeyPatch) -> None:
    environment = OURS["worker"]["environment"]
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector:4317"
    assert environment["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
    assert environment["OTEL_TRACES_SAMPLER"] == "parentbased_traceidratio"
    for key, value in environment.items():
        only.setenv(key, value)
    only.setenv("ENVIRONMENT", "staging")
    assert "./otel-config.yaml:/etc/promote/otel-config.yaml:ro" in OURS["worker"]["volumes"]
    with opentelemetry_configured(Settings(otel_config=ROOT / "otel-config.yaml")):
        attributes = resource().attributes
        assert attributes["service.name"] == "stella-release-orchestrator"
        assert attributes["service.namespace"] == "stella-ops"
        assert attributes["deployment.environment"] == "staging"
        assert schedule_delay().total_seconds() == 10
        # An environment's own rate holds as long as OTEL_TRACES_SAMPLER_ARG is empty.
        assert "0.1" in sampler(0.1).get_description()
        only.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
        assert "0.5" in sampler(0.1).get_description()


def test_the_example_environments_are_on_the_agent_of_the_file() -> None:
    definitions = load_environments(ROOT / "deploy" / "environments.yaml")
    assert [one.environment.name for one in definitions] == ["staging", "production"]
    agents = {target.agent for one in definitions for target in one.targets}
    assert [*agents] == [OURS["agent"]["command"][OURS["agent"]["command"].index("--id") + 1]]


def test_health_checks_ask_for_the_queue_that_the_command_polls() -> None:
    chosen = ours(services(AGENT_ID="rack-7"))
    assert chosen["agent"]["command"][:3] == ["agent", "--id", "rack-7"]
    assert chosen["agent"]["healthcheck"]["test"][-1] == "agent.rack-7"
    assert chosen["worker"]["healthcheck"]["test"][-1] == "promotions"


def test_the_search_attributes_fit_into_a_namespace_on_postgresql() -> None:
    assert len(SEARCH_ATTRIBUTES) <= PREALLOCATED_KEYWORDS
