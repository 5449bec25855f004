"""The DORA figures as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from engine.metrics.dora import Dora

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def dora_view(figures: Sequence[Dora]) -> Table:
    """One line for each environment; `-` is a figure that nothing is known for."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in (
        "tenant", "environment", "deployments", "per day", "lead time", "failure rate", "recovery",
        "open failures",
    ):  # fmt: skip
        table.add_column(heading, no_wrap=True)
    for one in figures:
        rate = one.change_failure_rate
        table.add_row(
            one.tenant,
            one.environment,
            str(one.deployments),
            f"{one.deployment_frequency:.2f}",
            length(one.lead_time_seconds),
            "-" if rate is None else f"{rate:.1%}",
            length(one.recovery_time_seconds),
            str(one.unrecovered),
        )
    return table


def length(seconds: float | None) -> str:
    """A length of time in its largest unit, such as `1.5 h`."""
    if seconds is None:
        return "-"
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds / size:.1f} {unit}"
