"""`promote version` and `promote --version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson

_DISTRIBUTION = "promotion-engine"


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        out_json({"version": _own(), "python": platform.python_version()})
    else:
        out(f"promote {_own()}")


def print_and_exit(wanted: bool) -> None:
    """Do the work of the option `--version`."""
    if wanted:
        out(f"promote {_own()}")
        raise typer.Exit


def _own() -> str:
    try:
        return distribution_version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "(not installed)"
