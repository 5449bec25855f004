"""`promote policy …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json, render, say
from engine.cli.files import write_bytes
from engine.cli.options import AsJson
from engine.cli.session import with_store
from engine.errors import ExitCode

if TYPE_CHECKING:
    from engine.policy.replay import ReplayedPromotion
    from engine.policy.testing import FileReport
    from engine.store.store import Store

group = typer.Typer(
    help="Try a policy on past promotions, and test it on made-up ones.", no_args_is_help=True
)

DIFFERENT = ExitCode.FAILED
"""What a replay with differences and a test with failures end with."""


@group.command("replay")
def replay_past(
    file: Annotated[
        Path,
        typer.Option("--with", metavar="FILE", help="The environment file with the changed rules."),
    ],
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Whose promotions, by the file's tenant.")
    ],
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="DURATION|TIME",
            help="Only those requested since, such as 30d or 2026-03-01T00:00:00Z.",
            show_default=False,
        ),
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="At most so many, the youngest.", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show also those that would be decided alike.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show which past promotions FILE would have decided otherwise; nothing is called or written.

    Each gate is asked again for the moment at which it decided, with what it was told then. Gates
    that call out (http, command, metric, plugin) keep their recorded result. What is not on record
    is unknown. Exit code 0 when all would be decided alike, 1 when one would not.
    """
    from engine.cli.policy_view import ReplayCount, replayed_view
    from engine.cli.since import since_moment

    begin = since_moment("--since", since) if since else None
    count = ReplayCount()
    shown: list[ReplayedPromotion] = []

    async def run(store: Store) -> None:
        from engine.policy.replay import changed_environment
        from engine.policy.replay import replay as replayed

        changed = await changed_environment(store, file, environment)
        async for each in replayed(store, *changed, since=begin, limit=limit):
            count.add(each)
            if not (everything or count.is_notable(each)):
                continue
            if as_json:
                shown.append(each)
            else:
                render(replayed_view(each))

    with_store(run)
    if as_json:
        promotions = [each.model_dump(mode="json") for each in shown]
        out_json({"summary": count.as_json(), "promotions": promotions})
    else:
        out(count.line())
    raise typer.Exit(DIFFERENT if count.different else ExitCode.DONE)


@group.command("test")
def run_tests(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Policy test files.", show_default=False)
    ],
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Also write the report as JUnit XML."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run policy tests: made-up promotions at given times, through the gates' own code, offline.

    Exit code 0 when all cases come out as expected, 1 when one does not.
    """
    import asyncio

    from engine.policy.testing import run

    async def run_all() -> list[FileReport]:
        return [await run(file) for file in files]

    reports = asyncio.run(run_all())
    if junit is not None:
        from engine.policy.junit import junit as as_junit

        write_bytes("--junit", junit, as_junit(reports))
    if as_json:
        out_json(reports)
    else:
        from engine.cli.policy_view import tests_view

        for report in reports:
            render(tests_view(report))
    failed = sum(not case.has_passed for report in reports for case in report.cases)
    total = sum(len(report.cases) for report in reports)
    if not as_json:
        say(f"{total - failed} of {total} cases came out as expected")
    raise typer.Exit(DIFFERENT if failed else ExitCode.DONE)
