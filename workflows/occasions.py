"""What a gate that waits may be asked again for: whatever has come in since."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.gates.protocol import Callback
    from engine.model.approval import Vote
    from engine.model.verdict import Override
    from workflows import waiting

SHORTEST_WAIT = 1.0
"""Seconds; a gate that defers to a time that has passed must not be asked without a pause."""


class Occasions:
    """Votes, callbacks, overrides, and that anything else has changed; everything that waits hears.

    Attributes:
        count: how many times something has come in.
    """

    def __init__(self) -> None:
        self.count = 0
        self._votes: tuple[Vote, ...] = ()
        self._callbacks: tuple[Callback, ...] = ()
        self._overrides: tuple[Override, ...] = ()

    @property
    def votes(self) -> tuple[Vote, ...]:
        """All votes, oldest first."""
        return self._votes

    @property
    def callbacks(self) -> tuple[Callback, ...]:
        """All callbacks, oldest first."""
        return self._callbacks

    @property
    def overrides(self) -> tuple[Override, ...]:
        """All overrides, oldest first."""
        return self._overrides

    def override_of(self, gate: str) -> Override | None:
        """The first word that the gate is to be passed over, or None."""
        return next((each for each in self._overrides if each.gate == gate), None)

    def start_with(self, votes: tuple[Vote, ...]) -> None:
        """Put votes before those that have come in already."""
        early, self._votes = self._votes, votes
        for vote in early:
            self.take_vote(vote)

    def take_vote(self, vote: Vote) -> None:
        """Take a vote, or that one was withdrawn.

        Voter and moment tell it from all others. Told twice or in another order, it comes to the
        same: what was withdrawn stays so.
        """
        for index, known in enumerate(self._votes):
            if (known.user, known.at) == (vote.user, vote.at):
                if known.withdrawn_at is None and vote.withdrawn_at is not None:
                    withdrawn = known.model_copy(
                        update={
                            "withdrawn_at": vote.withdrawn_at,
                            "withdrawal_reason": vote.withdrawal_reason,
                            "withdrawal_envelope": vote.withdrawal_envelope,
                        }
                    )
                    self._votes = (*self._votes[:index], withdrawn, *self._votes[index + 1 :])
                    self.ring()
                return
        self._votes = (*self._votes, vote)
        self.ring()

    def add_callback(self, callback: Callback) -> None:
        """Take the answer to a gate's question."""
        self._callbacks = (*self._callbacks, callback)
        self.ring()

    def add_override(self, override: Override) -> None:
        """Take somebody's word that a gate is to be passed over."""
        self._overrides = (*self._overrides, override)
        self.ring()

    def ring(self) -> None:
        """Say that something has changed that a gate may look at."""
        self.count += 1

    async def next(self, seen: int, until: datetime | None) -> None:
        """Sleep until more than `seen` things have come in, or until the given time."""
        timeout = None
        if until is not None:
            timeout = max(SHORTEST_WAIT, (until - workflow.now()).total_seconds())
        await waiting.until(lambda: self.count > seen, timeout)
