"""Replays and tests of policies as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from engine.cli.explain_view import outcome, table
from engine.cli.render import moment

if TYPE_CHECKING:
    from engine.policy.replay import ReplayedPromotion
    from engine.policy.testing import FileReport


class ReplayCount:
    """How many past promotions would have been decided alike, otherwise, or nobody can tell."""

    def __init__(self) -> None:
        self.same = self.different = self.unknown = 0

    def add(self, each: ReplayedPromotion) -> None:
        """Count one more."""
        if each.replayed == "unknown":
            self.unknown += 1
        elif each.differs:
            self.different += 1
        else:
            self.same += 1

    @staticmethod
    def is_notable(each: ReplayedPromotion) -> bool:
        """Whether it is one that people look for."""
        return each.differs or each.replayed == "unknown"

    def as_json(self) -> dict[str, int]:
        """The figures by name."""
        return {
            "promotions": self.same + self.different + self.unknown,
            "same": self.same,
            "different": self.different,
            "unknown": self.unknown,
        }

    def line(self) -> str:
        """The figures in words."""
        total = self.same + self.different + self.unknown
        return (
            f"{total} promotions: {self.same} decided alike, {self.different} otherwise, "
            f"{self.unknown} unknown"
        )


def replayed_view(each: ReplayedPromotion) -> RenderableType:
    """One promotion: the decision then and now, and the gates that differ."""
    line = Text(f"{each.promotion_id} {each.release} by {each.requested_by}, ")
    line.append(f"{moment(each.requested_at)}: ")
    line.append_text(outcome(each.recorded.value))
    line.append(" → ")
    line.append_text(outcome(each.replayed.value))
    rows = table("  gate", "then", "now", "")
    for gate in each.gates:
        if not gate.differs and gate.replayed != "unknown":
            continue
        rows.add_row(
            f"  {gate.name}",
            outcome("-" if gate.recorded is None else gate.recorded.value),
            outcome("-" if gate.replayed is None else gate.replayed.value),
            Text(gate.reason),
        )
    return Group(line, rows) if rows.row_count else line


def tests_view(report: FileReport) -> RenderableType:
    """A file's cases, a line each, and what is not as expected."""
    rows = table(report.file, "environment", "decision", "")
    for case in report.cases:
        word = Text("ok", "green") if case.has_passed else Text("failed", "red")
        rows.add_row(Text(case.name), case.environment, outcome(case.decision.value), word)
        for problem in case.problems:
            rows.add_row("", "", "", Text(problem))
    return rows
