"""The templates that an environment can name without writing them."""

from __future__ import annotations

from datetime import timedelta

from engine.errors import InputError
from engine.model.base import Json
from engine.model.template import (
    Compensation,
    Node,
    OnFailure,
    Parameter,
    ParameterType,
    Template,
)

_STANDARD = Template(
    name="standard",
    version="1",
    description="Scan reports and approvals once more, then the deployment.",
    nodes=(
        Node(id="security-check", type="security-check"),
        Node(id="approval", type="approval", needs=("security-check",)),
        Node(id="deploy", type="deploy", needs=("approval",)),
    ),
)

_WHERE = "${{ release.ref }} in ${{ environment.name }}"


def _channel(name: str) -> str:
    return f"${{{{ params.notify.?{name}.orValue(null) }}}}"


_CHANNELS: dict[str, Json] = {name: _channel(name) for name in ("webhook", "slack", "email")}

_CANARY = Template(
    name="canary-with-verification",
    version="1",
    description="A deployment in small batches, then checks of what it brought; people are told.",
    parameters={
        "checks": Parameter(
            type=ParameterType.LIST,
            description="what has to be so afterwards, as the checks of a verify node",
        ),
        "notify": Parameter(
            type=ParameterType.MAP,
            description="where people are told: webhook, slack or email, as in a notify node",
        ),
        "batch_size": Parameter(
            default="10%",
            description="targets per batch, as a number or a percentage; a bad batch is the last",
        ),
        "soak": Parameter(
            type=ParameterType.DURATION,
            default="5m",
            description="how long the release runs before it is checked; 0s for not at all",
        ),
    },
    nodes=(
        Node(id="security-check", type="security-check"),
        Node(id="approval", type="approval", needs=("security-check",)),
        Node(
            id="deploy",
            type="deploy",
            needs=("approval",),
            inputs={"strategy": {"type": "rolling", "batch_size": "${{ params.batch_size }}"}},
            # What ran before comes back by a promotion of its own, with its own gates and evidence.
            on_rollback=Compensation(
                type="notify",
                inputs={
                    **_CHANNELS,
                    "subject": f"{_WHERE} did not pass its verification",
                    "text": "It runs there all the same. Bring back the release before it with: "
                    "promote start --rollback --environment ${{ environment.name }} "
                    "--tenant ${{ promotion.tenant }} --release NAME@VERSION",
                },
                timeout=timedelta(minutes=10),
            ),
        ),
        Node(
            id="soak",
            type="wait",
            needs=("deploy",),
            when="params.soak != '0s'",
            inputs={
                "duration": "${{ params.soak }}",
                "reason": "it is to run for a while",
            },
            timeout=timedelta(days=366),
        ),
        Node(
            id="verify",
            type="verify",
            needs=("soak",),
            inputs={"checks": "${{ params.checks }}"},
            timeout=timedelta(hours=1),
            on_failure=OnFailure.ROLLBACK,
        ),
        Node(
            id="notify",
            type="notify",
            needs=("verify",),
            inputs={
                **_CHANNELS,
                "subject": f"{_WHERE} is deployed and verified",
                "text": "${{ string(size(nodes.verify.outputs.checks)) }} checks passed. "
                "Requested by ${{ promotion.requested_by }}. ${{ promotion.reason }}",
            },
            timeout=timedelta(minutes=10),
            # What is deployed and verified stays a success when nobody could be told.
            on_failure=OnFailure.CONTINUE,
        ),
    ),
)

ALL = (_STANDARD, _CANARY)
"""All of them; no version of one ever changes."""

_BUILT_IN = {template.name: template for template in ALL}


def names() -> tuple[str, ...]:
    """The names of the built-in templates, sorted."""
    return tuple(sorted(_BUILT_IN))


def resolve(template: str | Template) -> Template:
    """The template that is meant: a built-in one by name, or the one that is given.

    Raises:
        InputError: no built-in template has that name.
    """
    if isinstance(template, Template):
        return template
    try:
        return _BUILT_IN[template]
    except KeyError:
        remedy = f"write a template out, or name one of: {', '.join(names())}"
        raise InputError("template", f"no template is called {template!r}", remedy) from None
