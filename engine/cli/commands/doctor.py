"""`promote doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson
from engine.cli.running import run
from engine.errors import ExitCode

if TYPE_CHECKING:
    from engine.cli.examination import Finding


def doctor(as_json: AsJson = False) -> None:
    """Examine what this machine's processes would use: Temporal, database, key, telemetry.

    Sends one test span where an endpoint is set. Exit code 1 when something does not work.
    """
    from engine.cli.examination import examine
    from engine.config import load_settings

    findings = run(examine(load_settings()))
    if as_json:
        out_json(findings)
    else:
        for finding in findings:
            out(_line(finding))
    if not all(finding.good for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _line(finding: Finding) -> str:
    mark = "ok  " if finding.good else "FAIL"
    return f"{mark}  {finding.subject:18} {finding.detail}"
