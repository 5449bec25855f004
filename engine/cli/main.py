"""The entry point: which commands there are."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from engine.cli.boundary import guarded, leave
from engine.cli.commands import (
    advance,
    agent,
    apply,
    approve,
    auto,
    callback,
    cancel,
    db,
    demo,
    dev,
    doctor,
    dora,
    evidence,
    explain,
    freeze,
    keys,
    list_promotions,
    override,
    plugin,
    policy,
    reject,
    release,
    retry,
    schema,
    server,
    start,
    status,
    template,
    trace,
    version,
    watch,
    withdraw,
    worker,
)

_RUN = "Run the system"
_DEFINE = "Say what there is"
_PROMOTE = "Promote"
_LOOK = "Look into it"
_OPERATE = "Operate"

app = typer.Typer(
    name="promote",
    help=(
        "Carry a release from one environment to the next, and prove afterwards what happened.\n\n"
        "Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 denied, rejected or cancelled, "
        "4 timed out waiting, 5 server not reachable."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            is_eager=True,
            callback=version.print_and_exit,
        ),
    ] = False,
) -> None:
    """Hold the options that come before a command."""


app.command("dev", rich_help_panel=_RUN)(dev.dev)
app.command("demo", rich_help_panel=_RUN)(demo.demo)
app.command("worker", rich_help_panel=_RUN)(worker.worker)
app.command("agent", rich_help_panel=_RUN)(agent.agent)

app.command("apply", rich_help_panel=_DEFINE)(apply.apply)
app.add_typer(release.group, name="release", rich_help_panel=_DEFINE)
app.add_typer(template.group, name="template", rich_help_panel=_DEFINE)
app.add_typer(policy.group, name="policy", rich_help_panel=_DEFINE)
app.command("schema", rich_help_panel=_DEFINE)(schema.schema)

app.command("start", rich_help_panel=_PROMOTE)(start.start)
app.command("approve", rich_help_panel=_PROMOTE)(approve.approve)
app.command("reject", rich_help_panel=_PROMOTE)(reject.reject)
app.command("withdraw", rich_help_panel=_PROMOTE)(withdraw.withdraw)
app.command("retry", rich_help_panel=_PROMOTE)(retry.retry)
app.command("advance", rich_help_panel=_PROMOTE)(advance.advance)
app.command("override", rich_help_panel=_PROMOTE)(override.override)
app.command("callback", rich_help_panel=_PROMOTE)(callback.callback)
app.command("cancel", rich_help_panel=_PROMOTE)(cancel.cancel)
app.add_typer(freeze.group, name="freeze", rich_help_panel=_PROMOTE)
app.add_typer(auto.group, name="auto", rich_help_panel=_PROMOTE)

app.command("list", rich_help_panel=_LOOK)(list_promotions.list_promotions)
app.command("explain", rich_help_panel=_LOOK)(explain.explain)
app.command("status", rich_help_panel=_LOOK)(status.status)
app.command("watch", rich_help_panel=_LOOK)(watch.watch)
app.command("dora", rich_help_panel=_LOOK)(dora.dora)
app.add_typer(trace.group, name="trace", rich_help_panel=_LOOK)
app.add_typer(evidence.group, name="evidence", rich_help_panel=_LOOK)

app.add_typer(keys.group, name="keys", rich_help_panel=_OPERATE)
app.add_typer(plugin.group, name="plugin", rich_help_panel=_OPERATE)
app.add_typer(server.group, name="server", rich_help_panel=_OPERATE)
app.add_typer(db.group, name="db", rich_help_panel=_OPERATE)
app.command("doctor", rich_help_panel=_OPERATE)(doctor.doctor)
app.command("version", rich_help_panel=_OPERATE)(version.version)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    leave(guarded(partial(app, prog_name="promote")))


if __name__ == "__main__":
    main()
