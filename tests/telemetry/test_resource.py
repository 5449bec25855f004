from __future__ import annotations

from importlib.metadata import version

import pytest

from engine.telemetry.resource import resource

OURS = {
    "service.name": "stella-release-orchestrator",
    "service.namespace": "stella-ops",
    "service.version": version("promotion-engine"),
    "deployment.environment": "development",
    "deployment.environment.name": "development",
}
DEPLOYED = ("deployment.environment", "deployment.environment.name")


def attributes() -> dict[str, object]:
    return dict(resource().attributes)


@pytest.mark.usefixtures("otel_variables")
def test_without_variables_it_is_what_the_specification_says() -> None:
    found = attributes()
    assert {key: found[key] for key in OURS} == OURS
    assert found["telemetry.sdk.language"] == "python"


@pytest.mark.parametrize(
    ("environ", "changes"),
    [
        ({"OTEL_SERVICE_NAME": "mine"}, {"service.name": "mine"}),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine,service.version=9,team=a%20b"},
            {"service.name": "mine", "service.version": "9", "team": "a b"},
        ),
        (
            {"OTEL_SERVICE_NAME": "wins", "OTEL_RESOURCE_ATTRIBUTES": "service.name=loses"},
            {"service.name": "wins"},
        ),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=theirs"},
            {"service.namespace": "theirs"},
        ),
        ({"ENVIRONMENT": "production"}, dict.fromkeys(DEPLOYED, "production")),
        ({"ENVIRONMENT": "  "}, {}),
        (
            {
                "ENVIRONMENT": "loses",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=wins",
            },
            dict.fromkeys(DEPLOYED, "wins"),
        ),
        (
            {
                "ENVIRONMENT": "loses",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=wins",
            },
            dict.fromkeys(DEPLOYED, "wins"),
        ),
        (
            {
                "OTEL_RESOURCE_ATTRIBUTES": (
                    "deployment.environment=old,deployment.environment.name=new"
                )
            },
            {"deployment.environment": "old", "deployment.environment.name": "new"},
        ),
        ({"OTEL_SERVICE_NAME": ""}, {}),
        ({"OTEL_RESOURCE_ATTRIBUTES": ""}, {}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name="}, {}),
        ({"OTEL_RESOURCE_ATTRIBUTES": "no pair at all"}, {}),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "peer.service.name=other"},
            {"peer.service.name": "other"},
        ),
    ],
)
def test_what_the_variables_say_wins(
    otel_variables: pytest.MonkeyPatch, environ: dict[str, str], changes: dict[str, str]
) -> None:
    for name, value in environ.items():
        otel_variables.setenv(name, value)
    wanted = {**OURS, **changes}
    found = attributes()
    assert {key: found.get(key) for key in wanted} == wanted
