"""`promote start`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.commands.override import overrides
from engine.cli.console import out, out_json, say
from engine.cli.options import AsJson, Timeout, acting_user, duration, uuid
from engine.cli.outcome import exit_code_of
from engine.cli.parameters import parse_parameters
from engine.cli.progress import progress
from engine.cli.session import require_schema_if_present, with_client
from engine.cli.waiting import wait_for_end
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionRequest, PromotionState


def start(
    release: Annotated[
        str, typer.Option("--release", "-r", help="NAME@VERSION, or the release's id.")
    ] = "",
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="The environment to promote to.")
    ] = "",
    tenant: Annotated[
        str, typer.Option("--tenant", help="The tenant's name; default when not given.")
    ] = "",
    requested_by: Annotated[
        str,
        typer.Option(
            "--requested-by",
            envvar="PROMOTE_USER",
            help="Who asks for it; your login name by default.",
            show_default=False,
        ),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--override",
            metavar="GATE=REASON",
            help="Pass over a gate, if it stands against it and you may; can be given again.",
            show_default=False,
        ),
    ] = None,
    rollback: Annotated[
        bool,
        typer.Option(
            "--rollback",
            help="Bring back a release that the environment had before; "
            "freezes and approvals need not be passed, unless its gates say otherwise.",
        ),
    ] = False,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            help="A value for a parameter of the template; can be given again.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Read the request from a JSON or YAML file, or from stdin (-), instead.",
        ),
    ] = "",
    identity: Annotated[
        str,
        typer.Option(
            "--id",
            metavar="UUID",
            help="Name the promotion, so that starting it again changes nothing.",
        ),
    ] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for its end; the exit code tells it.")
    ] = False,
    timeout: Timeout = "1h",
    as_json: AsJson = False,
) -> None:
    """Start promoting a release to an environment.

    The trace of TRACEPARENT, TRACESTATE and BAGGAGE is continued. With --wait: exit code 0 when it
    succeeded, 1 when it failed, 3 when it was denied, rejected, cancelled or superseded, 4 when
    the time to wait ran out (the promotion then goes on).
    """
    request = (
        _from_file(source, release, environment, tenant, reason)
        if source
        else _from_options(release, environment, tenant, requested_by, reason)
    )
    if override:
        request = request.model_copy(
            update={"overrides": {**request.overrides, **overrides(override)}}
        )
    if param:
        values = {**request.parameters, **parse_parameters(param)}
        request = request.model_copy(update={"parameters": values})
    if rollback:
        request = request.model_copy(update={"rollback": True})
    promotion_id = uuid("--id", identity) if identity else None
    within = duration("--timeout", timeout)

    from engine.config import load_settings
    from engine.telemetry.propagation import attach_from_environment

    require_schema_if_present(load_settings())

    async def run(client: PromotionClient) -> PromotionState:
        state = await client.start(request, promotion_id=promotion_id)
        if not wait:
            return state
        say(f"promotion {state.promotion_id}")
        with progress(stdout_is_for_json=as_json) as show:
            return await wait_for_end(client, state.promotion_id, within, show)

    with attach_from_environment():
        state = with_client(run)
    if as_json:
        out_json(state)
    elif not wait:
        out(f"promotion {state.promotion_id}: {state.status.value}")
        say(f"follow it with: promote watch {state.promotion_id}")
    if wait:
        raise typer.Exit(exit_code_of(state.status))


def _from_options(
    release: str, environment: str, tenant: str, requested_by: str, reason: str
) -> PromotionRequest:
    from engine.model.promotion import PromotionRequest

    for option, value in (("--release", release), ("--environment", environment)):
        if not value:
            raise InputError(option, "is missing", "give it, or the whole request with --input")
    return PromotionRequest(
        release=release,
        environment=environment,
        tenant=tenant or "default",
        requested_by=acting_user(requested_by, "--requested-by"),
        reason=reason,
    )


def _from_file(
    source: str, release: str, environment: str, tenant: str, reason: str
) -> PromotionRequest:
    from engine.cli.request_input import read_request

    given = {
        "--release": release,
        "--environment": environment,
        "--tenant": tenant,
        "--reason": reason,
    }
    for option, value in given.items():
        if value:
            raise InputError(option, "cannot be given beside --input", "put it into the file")
    return read_request(source)
